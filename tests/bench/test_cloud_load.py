"""`bench load --cloud`: a real worker behind a check of who calls, Cloud Monitoring, a refused token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench.cloud import metrics as cloud_metrics
from bench.errors import BenchError
from bench.runs.read import read_run
from benchmarks.delivery.oidc_issuer import EMAIL, LocalIssuer
from benchmarks.delivery.tiny_model import NAME, write_tiny_model
from diptych.commands.bench.commands import bench
from tests.support.cloud.cloud_run import CloudRun, cloud_run, gcloud
from tests.support.cloud.monitoring import monitoring


def load(service: CloudRun, out: Path, *arguments: str) -> Result:
    where = ("--cloud", "--target", "container", "--container-url", service.url, "--as-account", EMAIL)
    shape = ("--model", NAME, "--rate", "10/s", "--duration", "1s", "--warm-up", "0s")
    return CliRunner().invoke(bench, ["load", *where, *shape, "--out", str(out), *arguments])


def test_load_with_instances_and_billed_time_and_a_refused_token(
    tmp_path: Path, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, store = tmp_path / "models", tmp_path / "store"
    write_tiny_model(models)
    store.mkdir()
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(models))
    settings: dict[str, Any] = {"store_url": store.as_uri(), "model_dir": models, "default_model": NAME}
    monkeypatch.setattr(cloud_metrics, "LATE_S", 0.0)
    monkeypatch.setattr(cloud_metrics, "google_headers", lambda _: {"Authorization": "Bearer right"})
    with (
        cloud_run("container", tmp_path, issuer, **settings) as service,
        monitoring("diptych-container") as api,
    ):
        monkeypatch.setattr(cloud_metrics, "ENDPOINT", api.url)
        gcloud(tmp_path, monkeypatch, issuer, service.url)
        done = load(service, tmp_path / "run", "--project", "my-project", "--fail-if", "error > 0")
        assert done.exit_code == 0, done.output
        (tmp_path / "bin" / "gcloud").write_text(f"#!/bin/sh\necho {issuer.token(aud='https://another')}\n")
        refused = load(service, tmp_path / "refused")
    assert service.started >= 1
    run = read_run(tmp_path / "run")
    assert run.results["title"] == "Load at container, deployed; stand-ins on this machine"
    assert run.results["cloud"]["container"]["billed"]["sum_s"] == 41.5
    assert "container  at most 3 (active 3, idle 1) instances; 41.5 s billed" in done.output
    assert "billed seconds" in (tmp_path / "run" / "report.html").read_text()
    assert isinstance(refused.exception, BenchError)
    assert "the container refuses the token (403)" in str(refused.exception)
    # It is told at the first answer, not after the whole run.
    assert len(read_run(tmp_path / "refused").rows) <= 10
    assert read_run(tmp_path / "refused").partial
