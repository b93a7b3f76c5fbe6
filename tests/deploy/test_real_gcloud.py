"""The real gcloud on Google's Pub/Sub emulator: topics and subscriptions, made, and found to be right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.deployment import Deployment
from deploy.doctor.cloud_plan import step_check
from deploy.execute import Executor
from deploy.gcloud import Runner
from deploy.plan.steps import deploy_steps
from deploy.steps import Ensure, Step
from tests.support.cloud.real_gcloud import find_gcloud
from tests.support.servers.pubsub_emulator import PubSubEmulator, find_command

MADE_HERE = ("topic ", "subscription diptych")
"""Titles of what the emulator can hold. It knows no IAM policies."""

CONTAINER = "projects/my-project/subscriptions/diptych-container"


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSubEmulator]:
    """A Pub/Sub emulator, to which gcloud is turned."""
    real = find_gcloud(tmp_path / "gcloud")
    pubsub = PubSubEmulator(find_command())
    try:
        pubsub.wait()
        for name, value in real.environment.items():
            if name.startswith("CLOUDSDK_"):
                monkeypatch.setenv(name, value)
        monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB", f"http://{pubsub.host}/")
        yield pubsub
    finally:
        pubsub.stop()


def made_here(deployment: Deployment) -> list[Step]:
    return [step for step in deploy_steps(deployment) if step.title.startswith(MADE_HERE)]


def deploy(deployment: Deployment) -> tuple[int, str]:
    runner = Runner(lambda _: None)
    runner.variables["PROJECT_NUMBER"] = "123456"
    lines: list[str] = []
    changed = Executor(runner, lines.append, sleep=lambda _: None).deploy(made_here(deployment))
    return changed, "\n".join(lines)


def test_what_gcloud_makes_is_what_is_found(emulator: PubSubEmulator, deployment: Deployment) -> None:
    changed, lines = deploy(deployment)
    assert changed == lines.count(": created") == 5
    found = emulator.call("GET", CONTAINER)
    assert found["ackDeadlineSeconds"] == 600
    assert found["filter"] == "attributes:target_container"
    assert found["messageRetentionDuration"] == "604800s"
    assert found["retryPolicy"] == {"minimumBackoff": "10s", "maximumBackoff": "600s"}
    assert found["deadLetterPolicy"] == {
        "deadLetterTopic": "projects/my-project/topics/diptych-dead-letters",
        "maxDeliveryAttempts": 100,
    }
    assert found["pushConfig"]["pushEndpoint"] == "https://diptych-container-123456.us-central1.run.app/"
    dead = emulator.call("GET", "projects/my-project/subscriptions/diptych-dead-letters-push")
    assert dead["pushConfig"]["pushEndpoint"].endswith(".run.app/dead-letter")

    changed, lines = deploy(deployment)
    assert changed == 0, lines
    body = {"subscription": {"name": CONTAINER, "ackDeadlineSeconds": 20}, "updateMask": "ackDeadlineSeconds"}
    emulator.call("PATCH", CONTAINER, body)
    runner = Runner()
    runner.variables["PROJECT_NUMBER"] = "123456"
    (step,) = (step for step in made_here(deployment) if step.title == "subscription diptych-container")
    assert isinstance(step, Ensure)
    check = step_check(runner, step)
    assert (check.status, check.detail) == ("fail", "ack deadline is 20 s, not 600 s")
    # That it is mended too only Google's own Pub/Sub shows: the emulator changes no policy of expiry.
