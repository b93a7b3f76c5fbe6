"""What --dry-run prints is a script that does the same as the command itself."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from deploy.command import Command, gcloud
from deploy.deployment import Deployment
from deploy.gcloud import ROOT
from deploy.plan.removal import destroy_steps
from deploy.script import deploy_script, destroy_script
from tests.deploy.conftest import FakeProject
from tests.deploy.test_execute import deploy, new_project, steps_of
from tests.support.waiting import LIMIT_S


def run(script: str) -> str:
    finished = subprocess.run(
        ["bash"], input=script, cwd=ROOT, text=True, capture_output=True, timeout=LIMIT_S, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_script_makes_what_deploy_makes_and_may_run_again(
    installed: FakeProject, deployment: Deployment, deployed_things: dict[str, Any]
) -> None:
    script = deploy_script("title", steps_of(deployment), ["farewell"])
    assert run(script).endswith("farewell\n")
    assert installed.things == deployed_things
    # Drift is mended, whatever differs.
    subscription = "pubsub subscriptions/diptych-container"
    installed.edit(subscription, ackDeadlineSeconds=10)
    installed.fail("topics add-iam-policy-binding", "ERROR: not known everywhere yet", times=1)
    run(script.replace("sleep", "true"))
    assert installed.things[subscription] == deployed_things[subscription]
    assert deploy(installed, deployment)[0] == 0


def test_the_script_of_destroy_keeps_the_bucket(
    installed: FakeProject, deployment: Deployment, deployed_things: dict[str, Any]
) -> None:
    installed.write(deployed_things)
    run(destroy_script("title", destroy_steps(deployment, delete_data=False)))
    left = {key for key, value in installed.things.items() if value}
    assert left == {"apis", "storage buckets/gs://my-project-diptych"}
    # Where most is gone already.
    run(destroy_script("title", destroy_steps(deployment, delete_data=True)))
    assert {key for key, value in installed.things.items() if value} == {"apis"}


def test_no_step_runs_after_one_that_failed(installed: FakeProject, deployment: Deployment) -> None:
    installed.fail("services enable", "ERROR: billing")
    script = deploy_script("title", steps_of(deployment), [])
    finished = subprocess.run(["bash"], input=script, cwd=ROOT, text=True, capture_output=True, check=False)
    assert finished.returncode == 1
    assert finished.stderr.splitlines() == ["ERROR: billing"]
    assert installed.calls[-1].startswith("services enable")


@pytest.mark.parametrize(
    "word", ["two words", "it's", 'a"b', "$HOME", "`id`", "a;b", "*", "", "\\", "${LIKE}$(id)"]
)
def test_words_reach_the_program_as_they_are(word: str) -> None:
    variables = {"LIKE": "value"}
    command = Command(("printf", "%s\\0", word, word + "${LIKE}"))
    for text in (f"LIKE=value; {command.shell()}", command.shell(variables)):
        said = subprocess.run(["bash", "-c", text], capture_output=True, check=True).stdout
        filled = word.replace("${LIKE}", "value")
        assert said.decode() == f"{filled}\0{filled}value\0"


def test_a_long_command_has_one_flag_a_line() -> None:
    words = [f"--flag-{number}=value" for number in range(9)]
    lines = gcloud("run deploy", "service", *words).shell().splitlines()
    assert lines[0] == "gcloud run deploy service \\"
    assert len(lines) == 10


def test_every_option_arrives_in_both_workers(tmp_path: Any, deployment: Deployment) -> None:
    options = replace(
        deployment, prefix="try-2", cpu=2, memory="8Gi", min_instances=1, max_instances=3, model="faces-64"
    )
    project = new_project(tmp_path / "project")
    deploy(project, options)
    told = json.dumps(project.things)
    assert "diptych-tasks" not in told
    spec = project.things["run services/try-2-container"]["spec"]["template"]
    limits = spec["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "2000m", "memory": "8Gi"}
    function = project.things["functions/try-2-function"]["serviceConfig"]
    assert (function["availableCpu"], function["availableMemory"]) == ("2", "8Gi")
    assert (function["minInstanceCount"], function["maxInstanceCount"]) == (1, 3)
    variables = {each["name"]: each["value"] for each in spec["spec"]["containers"][0]["env"]}
    assert variables["DIPTYCH_DEFAULT_MODEL"] == "faces-64"
    for name in ("DIPTYCH_PRELOAD", "DIPTYCH_DEFAULT_MODEL", "DIPTYCH_THREADS", "OMP_NUM_THREADS"):
        assert function["environmentVariables"][name] == variables[name]
