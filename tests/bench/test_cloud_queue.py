"""`bench queue --cloud`: Google's emulator, a storage server, and real workers behind signed pushes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench.cloud import metrics as cloud_metrics
from bench.errors import BenchError
from bench.queue.deployed import clock_lines
from bench.queue.task_timing import TaskTiming
from bench.runs.kinds import read_again
from bench.runs.read import read_run
from benchmarks.delivery.oidc_issuer import LocalIssuer
from benchmarks.delivery.relay import PushSettings, Relay
from benchmarks.delivery.tiny_model import NAME, write_tiny_model
from diptych.commands.bench.commands import bench
from pipeline.config.pubsub_settings import PubSubAddress
from pipeline.errors import RequestError
from tests.support.cloud.cloud_run import CloudRun, cloud_run
from tests.support.cloud.monitoring import monitoring
from tests.support.servers.gcs_server import GcsServer


@pytest.fixture
def store(gcs_server: GcsServer) -> str:
    return f"gs://{gcs_server.new_bucket()}?endpoint={gcs_server.url}"


@pytest.fixture
def services(
    address: PubSubAddress,
    issuer: LocalIssuer,
    store: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[list[CloudRun]]:
    """A container and a function, each fed by a subscription that signs what it pushes."""
    models = tmp_path / "models"
    write_tiny_model(models)
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(models))
    settings: dict[str, Any] = {"store_url": store, "model_dir": models, "default_model": NAME}
    with ExitStack() as held:
        found = []
        for target in ("container", "function"):
            service = held.enter_context(cloud_run(target, tmp_path, issuer, **settings))
            url = service.url

            def token(audience: str = url) -> str:
                return issuer.token(aud=audience)

            push = PushSettings(service.url, token, in_flight=2)
            held.enter_context(Relay(address, f"diptych-{target}", push))
            found.append(service)
        yield found


def queue(*arguments: str) -> Result:
    return CliRunner().invoke(bench, ["queue", "--cloud", "--model", NAME, *arguments])


def test_jobs_through_a_topic_to_services_and_back(
    services: list[CloudRun],
    address: PubSubAddress,
    store: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "run"
    jobs = ("--jobs", "3", "--images", "2", "--images-per-task", "1", "--rate", "4/s")
    with monitoring("diptych-function") as api:
        monkeypatch.setattr(cloud_metrics, "ENDPOINT", api.url)
        monkeypatch.setattr(cloud_metrics, "LATE_S", 0.0)
        monkeypatch.setattr(cloud_metrics, "google_headers", lambda _: {"Authorization": "Bearer right"})
        where = ("--broker", address.url, "--store", store, "--project", "my-project")
        done = queue(*jobs, *where, "--out", str(out), "--fail-if", "error_rate > 0")
    assert done.exit_code == 0, done.output
    run = read_run(out)
    timings = [TaskTiming.read(row) for row in run.rows]
    assert {one.outcome for one in timings} == {"ok"}
    assert len(timings) == 3 * 2 * 2
    results = run.results
    assert results["title"] == (
        "Jobs through diptych-tasks to container and function, deployed; stand-ins on this machine"
    )
    for service in services:
        # Two pushes at once, and one task at a time in an instance: each instance's first task is cold.
        of = results["targets"][service.target]
        assert service.refused == 0
        assert of["cold"]["tasks"] == service.started <= 2
        assert not of["slots_known"]
        mean = {name: one["mean"] for name, one in of["measured"]["quantities"].items()}
        assert mean["round_trip_s"] > mean["process_s"] > 0
    # One clock here: the interval holds zero, and nothing is said.
    low, high = results["clocks"]["ahead_s"]
    assert low <= 0.01
    assert high >= -0.01
    assert "CLOCKS DIFFER" not in done.output
    assert results["cloud"]["function"]["billed"]["sum_s"] == 41.5
    assert (
        "no figures of a Cloud Run service diptych-container"
        in results["cloud"]["container"]["billed"]["note"]
    )
    assert json.loads(json.dumps(read_again(out).results)) == results
    page = (out / "report.html").read_text()
    assert "gunicorn" not in page.partition("<h2>Conditions")[0]
    assert "four clocks" in page


def test_brokers_and_stores_of_this_machine_are_refused(
    address: PubSubAddress, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(tmp_path / "models"))
    write_tiny_model(tmp_path / "models")
    out = ("--out", str(tmp_path / "run"))
    for given, says in (
        ((), "needs the deployed topic"),
        (
            ("--broker", "redis://127.0.0.1:6379/0", "--store", store),
            "is no topic that a deployment listens to",
        ),
        (("--broker", address.url), "needs the deployed store"),
        (("--broker", address.url, "--store", (tmp_path / "store").as_uri()), "is a store of this machine"),
        (("--broker", address.url, "--store", "gs://no-such-bucket-1"), "cannot be read"),
    ):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", store.partition("endpoint=")[2])
        done = queue(*given, *out)
        assert isinstance(done.exception, BenchError), (given, done.output, done.exception)
        assert says in str(done.exception)
    celery = queue("--broker", address.url, "--store", store, "--target", "celery", *out)
    assert isinstance(celery.exception, RequestError)
    for bad in (("--running",), ("--slots", "2")):
        assert queue(*bad, *out).exit_code == 2
    for bad in (("--broker", address.url), ("--store", store), ("--project", "p")):
        assert CliRunner().invoke(bench, ["queue", *bad, *out]).exit_code == 2
    assert not (tmp_path / "run").exists()


def test_clocks_that_differ_for_certain_are_told() -> None:
    assert clock_lines({}) == []
    assert clock_lines({"ahead_s": [-0.2, 0.3], "jobs": 3}) == []
    (line,) = clock_lines({"ahead_s": [1.2, 1.3], "jobs": 3})
    assert "ahead of this machine's by +1.20 to +1.30 s" in line
    assert clock_lines({"ahead_s": [-2.0, -1.5], "jobs": 3})
