"""Doctor of a deployment: each thing that can be wrong is found, and the command that it gives mends it."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from deploy.deployment import Deployment
from deploy.doctor.check import Check
from deploy.doctor.cloud_plan import again
from deploy.doctor.examine import cloud_checks
from deploy.gcloud import Runner
from tests.deploy.conftest import FakeProject
from tests.deploy.test_execute import deploy
from tests.support.cloud.drifts import DRIFTS, Drift
from tests.support.waiting import LIMIT_S


def look(project: FakeProject, deployment: Deployment) -> dict[str, Check]:
    return {check.name: check for check in cloud_checks(Runner(launch=project.launch), deployment)}


def test_a_new_deployment_is_as_it_should_be(project: FakeProject, deployment: Deployment) -> None:
    deploy(project, deployment)
    before = project.things
    project.forget_calls()
    found = look(project, deployment)
    assert [check for check in found.values() if check.status != "ok"] == []
    assert len(found) > 30
    assert project.changes == []
    assert project.things == before


@pytest.mark.parametrize("drift", DRIFTS, ids=[drift.what for drift in DRIFTS])
def test_what_is_wrong_is_found_and_mended(
    drift: Drift, installed: FakeProject, deployment: Deployment, deployed_things: dict[str, Any]
) -> None:
    installed.write(deployed_things)
    drift.make(installed)
    check = look(installed, deployment)[drift.check]
    assert check.status == drift.status
    assert drift.says in check.detail
    assert "\n" not in check.detail
    if check.mend == again(deployment):
        deploy(installed, deployment)
    else:
        subprocess.run(["bash", "-euc", check.mend], check=True, capture_output=True, timeout=LIMIT_S)
    assert look(installed, deployment)[drift.check].status == "ok"


def test_where_nothing_was_deployed_every_check_says_so(project: FakeProject, deployment: Deployment) -> None:
    project.write({})
    found = look(project, deployment)
    assert found["topic diptych-tasks"].detail == "is missing"
    assert found["topic diptych-tasks"].mend == (
        "gcloud pubsub topics create diptych-tasks --project=my-project"
    )
    assert found["Cloud Run service diptych-container"].mend == again(deployment)
    assert found["equal resources"].status == "skipped"
    assert all("\n" not in check.detail for check in found.values())


def test_a_project_that_cannot_be_seen_is_one_failure(project: FakeProject, deployment: Deployment) -> None:
    project.write({})
    says = "ERROR: (gcloud.projects.describe) User [a@b] does not have permission to access projects instance"
    project.fail("projects describe", says)
    found = look(project, deployment)
    assert "does not have permission" in found["project my-project"].detail
    assert found["everything else"].status == "skipped"
