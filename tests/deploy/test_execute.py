"""Deploy and destroy, from start to end, against a project that a stand-in for gcloud plays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.deployment import Deployment
from deploy.errors import DeployError
from deploy.execute import Executor
from deploy.gcloud import Runner
from deploy.plan.removal import destroy_steps
from deploy.plan.steps import deploy_steps
from deploy.steps import Ensure, Step
from tests.deploy.conftest import FakeProject

SUBSCRIPTION = "pubsub subscriptions/diptych-container"


def steps_of(deployment: Deployment) -> list[Step]:
    """All steps but the one that stages the function's bundle, which has a test of its own."""
    return [step for step in deploy_steps(deployment) if not step.title.startswith("function bundle")]


def deploy(project: FakeProject, deployment: Deployment) -> tuple[int, list[str]]:
    lines: list[str] = []
    runner = Runner(lines.append, project.launch)
    changed = Executor(runner, lines.append, sleep=lambda _: None).deploy(steps_of(deployment))
    return changed, lines


def new_project(folder: Path) -> FakeProject:
    folder.mkdir()
    return FakeProject(folder)


def changes_of(project: FakeProject) -> list[str]:
    """The calls that change something; Google's own accounts are asked for each time."""
    return [call for call in project.changes if "services identity" not in call]


def destroy(project: FakeProject, deployment: Deployment, *, delete_data: bool = False) -> int:
    executor = Executor(Runner(launch=project.launch), lambda _: None, sleep=lambda _: None)
    return executor.destroy(destroy_steps(deployment, delete_data=delete_data))


def test_a_second_run_changes_nothing(project: FakeProject, deployment: Deployment) -> None:
    changed, lines = deploy(project, deployment)
    made = project.things
    findable = sum(isinstance(step, Ensure) and step.find is not None for step in steps_of(deployment))
    assert changed == findable - 1  # a new bucket has no rules of expiry that had to go
    assert lines[-1].startswith(f"[{len(steps_of(deployment))}/{len(steps_of(deployment))}] ")
    project.forget_calls()
    changed, _ = deploy(project, deployment)
    assert changed == 0
    # Google's own accounts are asked for each time: that is how one learns that they are there.
    assert [call for call in project.changes if "services identity" not in call] == []
    assert project.things == made


def test_what_stands_there(project: FakeProject, deployment: Deployment) -> None:
    deploy(project, deployment)
    things = project.things
    service = things["run services/diptych-container"]["spec"]["template"]["spec"]
    assert (service["containerConcurrency"], service["timeoutSeconds"]) == (1, 540)
    variables = {each["name"]: each["value"] for each in service["containers"][0]["env"]}
    assert variables["DIPTYCH_PUSH_AUTH"] == "cloud-run"
    assert variables["DIPTYCH_PUSH_AUDIENCE"] == "https://diptych-container-123456.us-central1.run.app"
    assert things[SUBSCRIPTION]["pushConfig"]["oidcToken"]["audience"] == variables["DIPTYCH_PUSH_AUDIENCE"]
    # The trigger's own subscription is brought to the same dead letter, deadline and retention.
    eventarc = next(things[key] for key in things if key.startswith("pubsub subscriptions/eventarc-"))
    for fact in ("deadLetterPolicy", "ackDeadlineSeconds", "messageRetentionDuration", "retryPolicy"):
        assert eventarc[fact] == things[SUBSCRIPTION][fact]
    # Least privilege: nobody has a role on the project but who builds, and nobody may delete or overwrite.
    on_project = things["projects/my-project/bindings"]
    assert {member for each in on_project for member in each["members"]} == {
        f"serviceAccount:{deployment.account('build')}"
    }
    on_bucket = {each["role"] for each in things["storage buckets/gs://my-project-diptych/bindings"]}
    assert on_bucket == {"roles/storage.objectCreator", "roles/storage.objectViewer"}
    for service_name in ("diptych-container", "diptych-function"):
        assert things[f"run services/{service_name}/bindings"] == [
            {"role": "roles/run.invoker", "members": [f"serviceAccount:{deployment.account('push')}"]}
        ]


def test_what_differs_is_changed_and_named(project: FakeProject, deployment: Deployment) -> None:
    deploy(project, deployment)
    project.edit(SUBSCRIPTION, ackDeadlineSeconds=10)
    project.edit("functions/diptych-function", eventTrigger__retryPolicy="RETRY_POLICY_DO_NOT_RETRY")
    project.edit("run services/diptych-container", spec__template__spec__containerConcurrency=80)
    project.forget_calls()
    changed, lines = deploy(project, deployment)
    assert changed == 3
    told = "\n".join(lines)
    assert "changed (ack deadline is 10 s, not 600 s)" in told
    assert "changed (retries is off, not on)" in told
    assert "changed (concurrency is 80, not 1)" in told
    assert deploy(project, deployment)[0] == 0


def test_a_new_source_is_built_and_deployed_once(project: FakeProject, deployment: Deployment) -> None:
    deploy(project, deployment)
    project.forget_calls()
    newer = replace(deployment, source="ba9876543210")
    assert deploy(project, newer)[0] == 3  # the image, the service, the function
    verbs = [" ".join(call.split()[:2]) for call in project.changes if "identity" not in call]
    assert verbs == ["builds submit", "run deploy", "functions deploy"]


def test_a_run_cut_off_after_any_step_goes_on_there(tmp_path: Path, deployment: Deployment) -> None:
    whole = new_project(tmp_path / "whole")
    deploy(whole, deployment)
    steps = steps_of(deployment)
    for cut in range(1, len(steps)):
        project = new_project(tmp_path / str(cut))
        Executor(Runner(launch=project.launch), lambda _: None).deploy(steps[:cut])
        deploy(project, deployment)
        assert changes_of(project) == changes_of(whole), f"cut off after {steps[cut - 1].title}"
        assert project.things == whole.things


def test_expiry_is_what_the_user_says_and_else_never(project: FakeProject, deployment: Deployment) -> None:
    monthly = replace(deployment, retain_days=30)
    deploy(project, monthly)
    bucket = "storage buckets/gs://my-project-diptych"
    (rule,) = project.things[bucket]["lifecycle_config"]["rule"]
    assert rule["action"] == {"type": "Delete"}
    assert rule["condition"] == {"age": 30, "matchesPrefix": ["jobs/", "rejected/"]}
    assert deploy(project, monthly)[0] == 0
    changed, lines = deploy(project, deployment)
    assert changed == 1
    assert "expiry of results: never: changed (expiry is after 30 days, not never)" in "\n".join(lines)
    assert "lifecycle_config" not in project.things[bucket]


def test_a_failure_says_what_is_done_and_the_same_command_goes_on(
    project: FakeProject, deployment: Deployment
) -> None:
    says = "ERROR: (gcloud.run.deploy) The user-provided container failed to start."
    project.fail("run deploy", says)
    with pytest.raises(DeployError) as caught:
        deploy(project, deployment)
    text = str(caught.value)
    assert "\n" not in text
    assert "Cloud Run service diptych-container: gcloud run deploy: The user-provided container" in text
    assert "are done: fix it and run the same command again" in text
    project.forget_calls()
    deploy(project, deployment)
    changes = [call for call in project.changes if "identity" not in call]
    assert changes[0].startswith("run deploy diptych-container ")
    assert not any(call.startswith(("builds", "pubsub topics create", "iam")) for call in changes[:1])


def test_what_is_not_known_everywhere_yet_is_tried_again(
    project: FakeProject, deployment: Deployment
) -> None:
    says = (
        "ERROR: (gcloud.storage.buckets) HTTPError 400: Service account diptych-container@x does not exist."
    )
    project.fail("add-iam-policy-binding gs://", says, times=3)
    _, lines = deploy(project, deployment)
    assert sum("not propagated yet" in line for line in lines) == 3
    # Not for ever.
    project.fail("pubsub topics describe diptych-tasks", "ERROR: NOT_FOUND")
    project.fail("pubsub topics create", "ERROR: Service account x does not exist.", times=99)
    with pytest.raises(DeployError, match=r"topic diptych-tasks: .*does not exist"):
        deploy(project, deployment)


@pytest.mark.parametrize(
    ("match", "says", "complaint"),
    [
        (
            "projects describe",
            "ERROR: (gcloud.projects.describe) You do not currently have an active account selected.",
            "gcloud is not signed in: run `gcloud auth login`",
        ),
        (
            "projects describe",
            "ERROR: (gcloud.projects.describe) User [a@b] does not have permission to access projects"
            " instance [my-project] (or it may not exist): The caller does not have permission.",
            "nothing was changed",
        ),
        (
            "storage buckets describe",
            "ERROR: (gcloud.storage.buckets.describe) HTTPError 403: a@b does not have"
            " storage.buckets.get access to the Google Cloud Storage bucket. Permission denied on"
            " resource (or it may not exist).",
            "if this one is taken, give --bucket",
        ),
        (
            "services enable",
            "ERROR: (gcloud.services.enable) FAILED_PRECONDITION: Billing account for project '1' is not"
            " found.",
            "Billing account for project",
        ),
    ],
)
def test_errors_are_one_line_that_says_what_to_do(
    project: FakeProject, deployment: Deployment, match: str, says: str, complaint: str
) -> None:
    project.fail(match, says)
    with pytest.raises(DeployError) as caught:
        deploy(project, deployment)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_filter_that_cannot_be_changed_is_told(project: FakeProject, deployment: Deployment) -> None:
    deploy(project, deployment)
    project.edit(SUBSCRIPTION, filter="attributes:other")
    with pytest.raises(DeployError) as caught:
        deploy(project, deployment)
    assert "filter is attributes:other, not attributes:target_container" in str(caught.value)
    assert "gcloud pubsub subscriptions delete diptych-container" in str(caught.value)


def test_destroy_takes_all_away_and_keeps_the_data(project: FakeProject, deployment: Deployment) -> None:
    deploy(project, deployment)
    project.forget_calls()
    assert destroy(project, deployment) == len(destroy_steps(deployment, delete_data=False))
    left = {key for key, value in project.things.items() if value}
    assert left == {"apis", "storage buckets/gs://my-project-diptych"}
    verbs = project.changes
    # First what delivers, then what is delivered to, then who they were.
    order = [
        "functions delete",
        "subscriptions delete",
        "services delete",
        "topics delete",
        "accounts delete",
    ]
    places = [next(at for at, call in enumerate(verbs) if verb in call) for verb in order]
    assert places == sorted(places)
    assert destroy(project, deployment) == 0
    assert destroy(project, deployment, delete_data=True) == 1
    assert "storage buckets/gs://my-project-diptych" not in project.things


def test_destroy_goes_on_after_a_failure(project: FakeProject, deployment: Deployment) -> None:
    deploy(project, deployment)
    project.fail("run services delete", "ERROR: (gcloud.run.services.delete) INTERNAL: try later")
    with pytest.raises(DeployError, match=r"Cloud Run service diptych-container: .*try later"):
        destroy(project, deployment)
    destroy(project, deployment)
    assert {key for key, value in project.things.items() if value} == {
        "apis",
        "storage buckets/gs://my-project-diptych",
    }


def test_destroy_in_a_project_that_never_had_the_apis(project: FakeProject, deployment: Deployment) -> None:
    project.write({})
    says = "ERROR: Cloud Functions API has not been used in project 123456 before or it is disabled."
    project.fail("functions describe", says)
    assert destroy(project, deployment) == 0


def test_without_gcloud_one_line_says_so(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DeployError, match=r"nothing was changed.*") as caught:
        Executor(Runner(), lambda _: None).deploy(steps_of(deployment))
    assert "gcloud is not installed: https://" in str(caught.value)
    assert "--dry-run" in str(caught.value)
