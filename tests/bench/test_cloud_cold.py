"""`bench cold --cloud`: services that scale to zero and up again, with real workers in them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench.cold import sample
from bench.cold.reload import results_of
from bench.cold.sample import ColdStart
from bench.cold.variants import CLOUD
from bench.errors import BenchError
from bench.runs.kinds import read_again, side_by_side
from bench.runs.read import StoredRun, read_run
from benchmarks.delivery.oidc_issuer import EMAIL, LocalIssuer
from benchmarks.delivery.tiny_model import NAME, write_tiny_model
from diptych.commands.bench.commands import bench
from tests.support.cloud.cloud_run import CloudRun, Instance, cloud_run, gcloud
from tests.support.servers.gcs_server import GcsServer


@pytest.fixture
def store(gcs_server: GcsServer) -> str:
    return f"gs://{gcs_server.new_bucket()}?endpoint={gcs_server.url}"


@pytest.fixture
def settings(tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    models = tmp_path / "models"
    write_tiny_model(models)
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(models))
    return {"store_url": store, "model_dir": models, "default_model": NAME}


@pytest.fixture
def container(
    tmp_path: Path, issuer: LocalIssuer, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[CloudRun]:
    with cloud_run("container", tmp_path, issuer, **settings) as service:
        gcloud(tmp_path, monkeypatch, issuer, service.url)
        yield service


def run(*arguments: str) -> Result:
    return CliRunner().invoke(bench, ["cold", "--cloud", "--model", NAME, *arguments])


def at_container(service: CloudRun, store: str, out: Path, *arguments: str) -> Result:
    where = ("--target", "container", "--container-url", service.url, "--store", store)
    return run(*where, "--as-account", EMAIL, "--out", str(out), *arguments)


def test_both_services_start_anew_after_a_pause(
    tmp_path: Path,
    issuer: LocalIssuer,
    settings: dict[str, Any],
    store: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def service(target: str) -> AbstractContextManager[CloudRun]:
        return cloud_run(target, tmp_path, issuer, idle_s=1.5, **settings)

    out = tmp_path / "run"
    with service("container") as container, service("function") as function:
        gcloud(tmp_path, monkeypatch, issuer, container.url, function.url)
        urls = ("--container-url", container.url, "--function-url", function.url)
        asked = ("--repeats", "2", "--idle", "4s", "--store", store, "--as-account", EMAIL)
        done = run(*urls, *asked, "--out", str(out), "--fail-if", "errors > 0")
        assert (container.started, function.started) == (2, 2)
    assert done.exit_code == 0, done.output
    stored = read_run(out)
    assert (
        stored.results["title"]
        == "Cold starts of container and function, deployed; stand-ins on this machine"
    )
    starts = [CLOUD.read(row) for row in stored.rows]
    # The order alternates; after each burst there is a warm one.
    assert [(one.target, one.asked, one.phase) for one in starts] == [
        (target, asked, phase)
        for order in (("container", "function"), ("function", "container"))
        for target in order
        for asked, phase in (("burst", "cold"), ("after", "warm"))
    ]
    for one in starts:
        if one.phase == "cold":
            steps = CLOUD.steps_of(one)
            assert sum(steps.values()) == pytest.approx(one.response_s, abs=0.1)
            assert steps["start-up"] > 0 < steps["until its process began"] + steps["start-up"]
            assert steps["model load"] > 0
    for target in ("container", "function"):
        found = stored.results["targets"][target]
        assert found["measured"]["starts"] == 2
        cold, warm = (found[name]["quantities"]["response_s"]["mean"] for name in ("measured", "warm"))
        assert cold > warm
    assert stored.results["paired"]["response_s"]["pairs"] == 2
    assert stored.results["paired"]["response_s"]["verdict"].startswith("none")
    assert read_again(out).results == stored.results
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 2
    assert "gunicorn" not in page.partition("<h2>Conditions")[0]
    both = side_by_side([stored, replace(stored, path=out.with_name("other"))])
    assert "container other" in both


def test_a_burst_starts_more_instances_and_a_warm_one_starts_none(
    container: CloudRun, store: str, tmp_path: Path
) -> None:
    burst = at_container(container, store, tmp_path / "burst", "--repeats", "1", "--burst", "2")
    assert burst.exit_code == 0, burst.output
    assert container.started == 2
    found = read_run(tmp_path / "burst").results["targets"]["container"]
    assert (found["phases"], found["instances"]) == ({"cold": 2}, 2)
    warm = at_container(container, store, tmp_path / "warm", "--repeats", "1")
    assert warm.exit_code == 1, warm.output
    assert "none was cold: min-instances keep some" in warm.output
    assert read_run(tmp_path / "warm").results["targets"]["container"]["measured"]["starts"] == 0


def test_an_instance_that_stood_ready_is_no_cold_start(
    container: CloudRun,
    settings: dict[str, Any],
    store: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = Instance("container", tmp_path, settings)
    waiting.busy, waiting.idle_since = False, time.monotonic()
    container.instances.append(waiting)
    monkeypatch.setattr(sample, "READY_S", 0.0)
    done = at_container(container, store, tmp_path / "run", "--repeats", "1")
    assert done.exit_code == 1, done.output
    found = read_run(tmp_path / "run").results["targets"]["container"]
    assert (found["phases"], found["measured"]["starts"]) == ({"ready": 1}, 0)


def test_refused_tokens_and_what_is_missing(container: CloudRun, store: str, tmp_path: Path) -> None:
    (tmp_path / "bin" / "gcloud").write_text("#!/bin/sh\necho not.eyJleHAiOiA5OTk5OTk5OTk5fQ.signed\n")
    refused = at_container(container, store, tmp_path / "run", "--repeats", "3")
    assert isinstance(refused.exception, BenchError)
    assert "the container refuses the token" in str(refused.exception)
    assert container.refused == 2
    assert read_run(tmp_path / "run").partial
    no_url = run("--target", "container")
    assert (no_url.exit_code, "--container-url" in no_url.output) == (2, True)
    no_store = run("--target", "container", "--container-url", container.url)
    assert isinstance(no_store.exception, BenchError)
    assert "--cloud needs the deployed store" in str(no_store.exception)
    assert CliRunner().invoke(bench, ["cold", "--burst", "2"]).exit_code == 2


def test_twenty_pairs_of_repeats_have_a_verdict() -> None:
    rows = []
    for repeat in range(20):
        for target, seconds in (("container", 2.0), ("function", 3.0)):
            one = ColdStart(repeat, 0, target, "burst", repeat, "cold", "ok", status=204)
            one.response_s = seconds + (0.02 * (repeat % 5) if target == "container" else 0.0)
            one.began_s, one.startup_s, one.model_load_s, one.generate_s = 0.5, 0.5, 0.5, 0.1
            rows.append(dict(zip(CLOUD.columns, map(_cell, one.cells(CLOUD.columns)), strict=True)))
    asked: dict[str, Any] = {"command": CLOUD.command, "cloud": True, "targets": ["container", "function"]}
    asked |= {"urls": {}, "store_url": "gs://bucket"}
    found = results_of(StoredRun(Path(), asked, {}, {}, "complete", rows))
    assert found["paired"]["response_s"]["verdict"] == "container lower"
    assert found["paired"]["without_load_s"]["ratio"] < found["paired"]["response_s"]["ratio"]
    assert set(found["targets"]["container"]["measured"]["steps"]) == set(CLOUD.steps)
    assert found["title"] == "Cold starts of container and function, deployed"


def _cell(value: object) -> str:
    return "" if value is None else str(value)


@pytest.mark.parametrize("began_s", [-0.4, 0.0, 0.3])
def test_the_steps_of_a_cold_start_add_up_to_its_response(began_s: float) -> None:
    start = ColdStart(0, 0, "container", "burst", 0, phase="cold", outcome="ok", response_s=1.0)
    start.began_s, start.startup_s, start.model_load_s, start.generate_s = began_s, 0.6 - began_s, 0.2, 0.1
    assert sum(CLOUD.steps_of(start).values()) == pytest.approx(1.0)
    assert min(CLOUD.steps_of(start).values()) >= 0
