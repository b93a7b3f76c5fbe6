"""Every command line that deploy, destroy and doctor can issue is one that the installed gcloud takes."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.command import Command
from deploy.deployment import Deployment
from deploy.doctor.examine import cloud_checks
from deploy.gcloud import ROOT, Runner
from deploy.plan.removal import destroy_steps
from deploy.plan.steps import deploy_steps
from deploy.steps import Learn
from tests.deploy.conftest import FakeProject
from tests.support.cloud.drifts import DRIFTS
from tests.support.cloud.real_gcloud import RealGcloud, find_gcloud
from tests.support.waiting import LIMIT_S

VARIABLES = {
    "PROJECT_NUMBER": "123456",
    "TRIGGER": "projects/my-project/locations/us-central1/triggers/diptych-function-000001",
    "SUBSCRIPTION": "projects/my-project/subscriptions/eventarc-us-central1-diptych-function-sub-1",
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> RealGcloud:
    return find_gcloud(tmp_path_factory.mktemp("gcloud"))


def all_deployments(deployment: Deployment) -> list[Deployment]:
    every_option = replace(
        deployment,
        prefix="try-2",
        bucket_name="a.bucket_of-mine",
        image="europe-docker.pkg.dev/other/images/container@sha256:0",
        cpu=2,
        memory="4096Mi",
        min_instances=1,
        max_instances=3,
        model="faces-64",
        retain_days=30,
    )
    return [deployment, every_option]


def commands(deployment: Deployment) -> Iterator[Command]:
    for step in deploy_steps(deployment):
        issued = [step.ask] if isinstance(step, Learn) else [step.find, step.make, step.change]
        yield from (each for each in issued if each and each.words[0] == "gcloud")
    for removal in destroy_steps(deployment, delete_data=True):
        yield from (removal.find, removal.remove)


def mends(deployment: Deployment, project: FakeProject, things: dict[str, Any]) -> Iterator[str]:
    """Every command that doctor advises for what can be wrong."""
    for drift in DRIFTS:
        project.write(things)
        drift.make(project)
        yield from (check.mend for check in cloud_checks(Runner(launch=project.launch), deployment))


def test_gcloud_takes_every_command(
    real: RealGcloud, deployment: Deployment, project: FakeProject, deployed_things: dict[str, Any]
) -> None:
    (Path(__file__).parents[2] / "build" / "function").mkdir(parents=True, exist_ok=True)
    lines = {
        shlex.join(command.filled(VARIABLES))
        for each in all_deployments(deployment)
        for command in commands(each)
    }
    for mend in mends(deployment, project, deployed_things):
        lines |= {shlex.join(shlex.split(line)) for line in unfolded(mend) if line.startswith("gcloud ")}
    ordered = sorted(lines)
    answers = real.parse([shlex.split(line)[1:] for line in ordered])
    refused = [
        (line, answer["error"]) for line, answer in zip(ordered, answers, strict=True) if "error" in answer
    ]
    assert refused == []
    assert all(answer["command"].startswith("gcloud ") for answer in answers)
    # What this would prove nothing without.
    assert {"gcloud run deploy", "gcloud functions deploy", "gcloud run services update"} <= {
        answer["command"] for answer in answers
    }


def test_gcloud_refuses_what_is_wrong(real: RealGcloud) -> None:
    """The test above can fail."""
    wrong = [
        ["pubsub", "topics", "make", "diptych-tasks"],
        ["pubsub", "topics", "create", "diptych-tasks", "--no-such-flag=1"],
        ["pubsub", "subscriptions", "create", "x", "--topic=y", "--ack-deadline=soon"],
        ["run", "deploy", "x", "--image=y", "--concurrency=many"],
        ["functions", "deploy", "x", "--trigger-topic=y", "--trigger-http"],
    ]
    assert [bool(answer.get("error")) for answer in real.parse(wrong)] == [True] * len(wrong)


def test_gcloud_reads_the_flags_as_they_are_meant(real: RealGcloud, deployment: Deployment) -> None:
    """A comma or a colon in a value may mean something to gcloud."""
    found = {command.words[1:3]: command for command in commands(deployment)}
    run, function = found["run", "deploy"], found["functions", "deploy"]
    grants = [
        command
        for command in commands(deployment)
        if "add-iam-policy-binding" in command.words
        and any("build-sources" in word for word in command.words)
    ]
    answers = real.parse([command.filled(VARIABLES)[1:] for command in (run, function, grants[0])])
    for answer, target in zip(answers, ("container", "function"), strict=False):
        environment = answer["flags"]["--set-env-vars"]
        for name, value in deployment.environment(target).items():  # type: ignore[arg-type]
            filled = Command((value,)).filled(VARIABLES)[0]
            assert re.search(rf"'{name}': '{re.escape(filled)}'", environment), name
    assert (
        'startsWith("projects/_/buckets/gcf-v2-sources-123456") || resource'
        in answers[2]["flags"]["--condition"]
    )


def unfolded(text: str) -> list[str]:
    """The lines of a script, with those that go on joined."""
    return re.sub(r"\\\n\s*", "", text).splitlines()


def test_gcloud_uploads_no_key_that_lies_in_the_checkout(real: RealGcloud, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for name in (
        "Dockerfile",
        "docker/celery.txt",
        "model/seeds.py",
        "key.json",
        "jobs/1.png",
        "model/__pycache__/a",
    ):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("x")
    shutil.copy(ROOT / ".gcloudignore", checkout)
    listed = subprocess.run(
        [Path(real.root, "bin", "gcloud"), "meta", "list-files-for-upload", str(checkout)],
        env=real.environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    assert set(listed.stdout.split()) == {"Dockerfile", "docker/celery.txt", "model/seeds.py"}
