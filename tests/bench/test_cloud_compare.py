"""`bench compare --cloud`: real workers behind a check of who calls, records in a bucket, unequal ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.cloud import metrics as cloud_metrics
from bench.errors import BenchError, HostRefused
from bench.experiment.analysis import analyse
from bench.experiment.deployed import deployed_experiment
from bench.experiment.pairs import pairs_of
from bench.experiment.plan import load_experiment, parse_experiment
from bench.experiment.run import CompareOptions, run_compare
from bench.experiment.trial import COLUMNS
from bench.runs.kinds import read_again
from bench.runs.read import read_run
from benchmarks.delivery.oidc_issuer import EMAIL, LocalIssuer
from benchmarks.delivery.tiny_model import NAME, write_tiny_model
from diptych.commands.bench.commands import bench
from tests.support.cloud.cloud_run import CloudRun, cloud_run, gcloud
from tests.support.cloud.monitoring import monitoring
from tests.support.servers.gcs_server import GcsServer

FILE = """
[targets]
container = "container"
function = "function"
[question]
metric = "{metric}"
margin = 0.1
[trials]
pairs = 2
warm = 2
[pinned]
model = "{model}"
[deployed]
store = "{store}"
account = "{account}"
[deployed.urls]
container = "{container}"
function = "{function}"
"""


@pytest.fixture
def store(gcs_server: GcsServer) -> str:
    return f"gs://{gcs_server.new_bucket()}?endpoint={gcs_server.url}"


@pytest.fixture
def services(
    tmp_path: Path, issuer: LocalIssuer, store: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[CloudRun, CloudRun]]:
    """Container and function, which works with two threads."""
    models = tmp_path / "models"
    write_tiny_model(models)
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(models))
    settings: dict[str, Any] = {"store_url": store, "model_dir": models, "default_model": NAME}
    with (
        cloud_run("container", tmp_path, issuer, **settings) as container,
        cloud_run("function", tmp_path, issuer, **settings, threads=2) as function,
    ):
        gcloud(tmp_path, monkeypatch, issuer, container.url, function.url)
        yield container, function


def write(path: Path, services: tuple[CloudRun, CloudRun], store: str, **changes: str) -> Path:
    container, function = (service.url for service in services)
    known = {"metric": "process_s", "account": EMAIL, "model": NAME}
    path.write_text(
        FILE.format(**{**known, "store": store, "container": container, "function": function, **changes})
    )
    return path


def test_pairs_of_deployed_targets(
    services: tuple[CloudRun, CloudRun], store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = write(tmp_path / "e.toml", services, store), tmp_path / "run"
    with monitoring("diptych-container") as api:
        monkeypatch.setattr(cloud_metrics, "ENDPOINT", api.url)
        monkeypatch.setattr(cloud_metrics, "LATE_S", 0.0)
        monkeypatch.setattr(cloud_metrics, "google_headers", lambda _: {"Authorization": "Bearer right"})
        asked = ("compare", str(file), "--cloud", "--project", "my-project", "--out", str(out))
        done = CliRunner().invoke(bench, asked)
    assert done.exit_code == 0, done.output
    run = read_run(out)
    assert len(run.rows) == 2 * 2 * 3
    assert {row["status"] for row in run.rows} <= {"200", "204"}
    results = run.results
    assert results["title"] == "container against function, deployed; stand-ins on this machine"
    assert "gunicorn" not in (out / "report.html").read_text().partition("<h2>Conditions")[0]
    # Each service had one instance: its first request of all was cold, and none of the warm ones was.
    assert {service.started for service in services} == {1}
    assert [row["cold"] for row in run.rows if row["phase"] == "first"].count("1") == 2
    requests = results["conditions"]["requests"]
    for name in ("container", "function"):
        assert requests[name]["instances seen"] == 1
        assert requests[name]["cold starts"] == 1
        assert requests[name]["without a record"] == 0
        assert results["question"]["samples"][name]["n"] == 4
    assert results["question"]["pairs"] == 2
    # What the records tell of the settings is compared: the function has two threads.
    assert results["conditions"]["unequal"] == [
        "threads is 1 of container, 2 of function",
        "pinned.threads is 1, function works with 2",
    ]
    assert (
        "UNEQUAL, so no finding about the targets: threads is 1 of container, 2 of function." in done.output
    )
    assert results["cloud"]["container"]["billed"]["sum_s"] == 41.5
    assert "container  at most 3 (active 3, idle 1) instances; 41.5 s billed" in done.output
    tokens = re.findall(r"echo (\S+);;", (tmp_path / "bin" / "gcloud").read_text())
    assert len(tokens) == 2
    written = "".join(path.read_text() for path in out.iterdir())
    assert not any(token in written for token in tokens)
    assert read_again(out).results["conditions"] == results["conditions"]


def test_a_broken_off_run_is_gone_on_with(
    services: tuple[CloudRun, CloudRun], store: str, tmp_path: Path
) -> None:
    file, out = write(tmp_path / "e.toml", services, store), tmp_path / "run"
    experiment = deployed_experiment(load_experiment(file), str(file))

    def tell(line: str) -> None:
        if line.startswith("pair 1"):
            raise KeyboardInterrupt

    first = run_compare(CompareOptions(experiment, out, tmp_path / "models"), tell)
    assert first.status == "interrupted"
    assert len(first.rows) == 6
    assert "PARTIAL" in (out / "report.html").read_text()
    local = CliRunner().invoke(bench, ["compare", str(file), "--out", str(out)])
    assert isinstance(local.exception, BenchError)
    assert "holds another experiment" in str(local.exception)
    assert "[deployed] is for --cloud" in local.output
    whole = CliRunner().invoke(bench, ["compare", str(file), "--cloud", "--out", str(out)])
    assert whole.exit_code == 0, whole.output
    assert read_run(out).rows[:6] == first.rows
    assert len(read_run(out).rows) == 12


def test_a_new_revision_in_the_middle_is_told() -> None:
    plan = parse_experiment(
        {
            "targets": {"a": "function", "b": "function"},
            "question": {"metric": "response_s", "margin": 0.1},
            "trials": {"pairs": 2, "warm": 1},
            "deployed": {"urls": {"a": "https://a.example", "b": "https://b.example"}},
        },
        "e.toml",
    )
    rows = [
        dict.fromkeys(COLUMNS, "")
        | {"pair": str(pair), "place": str(place), "name": name, "task": str(task), "status": "200"}
        | {"phase": "warm" if task else "first", "cold": "0", "response_s": "0.1"}
        | {"engine": "openvino", "revision": f"{name}-00{pair if name == 'b' else 0}"}
        for pair in (0, 1)
        for place, name in enumerate("ab")
        for task in (0, 1)
    ]
    found = analyse(pairs_of(rows, plan))
    assert found["conditions"]["unequal"] == ["b was deployed anew in the middle (b-000, b-001)"]
    assert found["title"] == "function against function (a and b), deployed"
    assert {one["phase"] for one in found["beside"]} == {"warm"}


def test_a_refused_token_ends_the_run_in_one_line(
    services: tuple[CloudRun, CloudRun], store: str, tmp_path: Path, issuer: LocalIssuer
) -> None:
    # The container's address changes hands: the token is made out to another.
    file, out = write(tmp_path / "e.toml", services, store), tmp_path / "run"
    (tmp_path / "bin" / "gcloud").write_text(f"#!/bin/sh\necho {issuer.token(aud='https://another')}\n")
    done = CliRunner().invoke(bench, ["compare", str(file), "--cloud", "--out", str(out)])
    assert isinstance(done.exception, BenchError)
    assert "refuses the token (403): give its push account with --as-account" in str(done.exception)
    assert read_run(out).status.startswith("failed: the ")
    assert sum(service.refused for service in services) == 3
    nobody = write(tmp_path / "n.toml", services, store, account="someone@else.example")
    (tmp_path / "bin" / "gcloud").write_text("#!/bin/sh\necho no >&2; exit 1\n")
    done = CliRunner().invoke(bench, ["compare", str(nobody), "--cloud", "--out", str(tmp_path / "no")])
    assert isinstance(done.exception, BenchError)
    assert "gcloud gives no ID token" in str(done.exception)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"question": {"metric": "response_s", "margin": 0.1, "phase": "cold"}}, "bench cold --cloud"),
        ({"question": {"metric": "process_s", "margin": 0.1}}, "name deployed.store"),
        ({"deployed": None}, r"\[deployed.urls\]"),
    ],
)
def test_what_deployed_targets_cannot_be_asked(changes: dict[str, Any], says: str) -> None:
    table: dict[str, Any] = {
        "targets": {"a": "container", "b": "function"},
        "question": {"metric": "response_s", "margin": 0.1},
        "deployed": {"urls": {"a": "https://a.example", "b": "https://b.example"}},
    }
    experiment = parse_experiment({**table, **changes}, "e.toml")
    with pytest.raises(BenchError, match=says):
        deployed_experiment(experiment, "e.toml")
    assert deployed_experiment(parse_experiment(table, "e.toml"), "e.toml", account="x").deployed


def test_hosts_that_are_not_ours_and_local_stores_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "e.toml"
    text = FILE.replace("{account}", "").replace("{metric}", "response_s").replace("{model}", "faces-64")
    text = text.replace("{container}", "https://a.example").replace("{function}", "https://b.example")
    file.write_text(text.replace("{store}", ""))
    asked = ["compare", str(file), "--cloud", "--out", str(tmp_path / "run")]
    assert isinstance(CliRunner().invoke(bench, asked).exception, HostRefused)
    file.write_text(text.replace("{store}", tmp_path.as_uri()))
    local = CliRunner().invoke(bench, asked)
    assert isinstance(local.exception, BenchError)
    assert "is a store of this machine" in str(local.exception)
    assert CliRunner().invoke(bench, ["compare", str(file), "--project", "p"]).exit_code == 2
    assert not (tmp_path / "run").exists()
    with pytest.raises(BenchError, match=r"deployed\.urls: give one for each of container, function"):
        parse_experiment(
            {
                "targets": {"container": "container", "function": "function"},
                "question": {"metric": "response_s", "margin": 0.1},
                "deployed": {"urls": {"container": "https://a.example"}},
            },
            "e.toml",
        )
