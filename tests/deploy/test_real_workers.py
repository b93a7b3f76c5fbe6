"""What the real gcloud sends for service, function and bucket, and prints of them, is what deploy seeks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.deployment import Deployment
from deploy.execute import Executor
from deploy.gcloud import Runner
from deploy.plan.steps import deploy_steps
from tests.support.cloud.google_stub import Google, google
from tests.support.cloud.real_gcloud import find_gcloud

TITLES = ("bucket ", "lifecycle rules", "expiry of results", "Cloud Run service ", "function ")


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    """A stub of Google, to which gcloud is turned."""
    real = find_gcloud(tmp_path / "gcloud")
    with google() as (state, variables):
        ours = {name: value for name, value in real.environment.items() if name.startswith("CLOUDSDK_")}
        for name, value in {**ours, **variables}.items():
            monkeypatch.setenv(name, value)
        yield state


def test_what_is_sent_is_what_is_found(stub: Google, deployment: Deployment) -> None:
    chosen = replace(deployment, min_instances=1, retain_days=30)
    steps = [step for step in deploy_steps(chosen) if step.title.startswith(TITLES)]
    runner = Runner(lambda _: None)
    runner.variables["PROJECT_NUMBER"] = "123456"
    lines: list[str] = []
    executor = Executor(runner, lines.append, sleep=lambda _: None)
    assert executor.deploy(steps) == 4, lines  # bucket, expiry, service, function
    (service,) = (each for key, each in stub.documents.items() if key.endswith("/services/diptych-container"))
    probe = service["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    assert probe["httpGet"]["path"] == "/health/ready"
    assert (probe["periodSeconds"], probe["failureThreshold"]) == (2, 60)
    (function,) = (each for key, each in stub.documents.items() if key.endswith("/diptych-function"))
    assert function["eventTrigger"]["retryPolicy"] == "RETRY_POLICY_RETRY"
    assert executor.deploy(steps) == 0, lines
