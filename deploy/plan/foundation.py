"""The first steps: the APIs, the service accounts, the topics, the bucket and the image repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from deploy.command import PYTHON_PROGRAM, Command, Variables, gcloud
from deploy.deployment import APIS, Deployment
from deploy.facts import bucket_facts, differences, last_part
from deploy.plan.subscriptions import dead_letter_pull_subscription
from deploy.steps import JSON, Ensure, Learn, Step, grant, under_condition
from results.targets import PUSHED_TARGETS

ACCOUNTS: Final[Mapping[str, str]] = {
    **{target: f"Diptych: the {target} worker" for target in PUSHED_TARGETS},
    "push": "Diptych: identity of pushes to the workers",
    "build": "Diptych: builds images",
}
WORKER_ROLES: Final = ("roles/storage.objectCreator", "roles/storage.objectViewer")
"""Create and read objects: a worker can neither overwrite nor delete."""
LIFECYCLE_FILE: Final = "build/lifecycle.json"


def foundation_steps(deployment: Deployment) -> list[Step]:
    """The steps that both targets need."""
    return [
        Learn(
            title=f"project {deployment.project}",
            variable="PROJECT_NUMBER",
            ask=gcloud("projects describe", deployment.project, "--format=value(projectNumber)"),
            pattern=r"[0-9]+",
        ),
        _apis(deployment),
        *(_account(deployment, role, title) for role, title in ACCOUNTS.items()),
        *(_agent(deployment, api) for api in ("pubsub", "eventarc")),
        _topic(deployment, deployment.queue.topic),
        _topic(deployment, deployment.queue.dead_letter_topic),
        grant(
            f"Pub/Sub may publish to {deployment.queue.dead_letter_topic}",
            "pubsub topics",
            (deployment.queue.dead_letter_topic, f"--project={deployment.project}"),
            deployment.pubsub_agent,
            "roles/pubsub.publisher",
        ),
        dead_letter_pull_subscription(deployment),
        *_bucket(deployment),
        *(_worker_role(deployment, target, role) for target in PUSHED_TARGETS for role in WORKER_ROLES),
        *_repository(deployment),
    ]


def _apis(deployment: Deployment) -> Ensure:
    project = f"--project={deployment.project}"

    def lacks(document: Any, _: Variables) -> str:
        enabled = {each.get("config", {}).get("name") for each in document}
        missing = [api for api in APIS if api not in enabled]
        return f"not enabled: {', '.join(missing)}" if missing else ""

    enable = gcloud("services enable", *APIS, project)
    return Ensure(
        title="APIs",
        find=gcloud("services list", "--enabled", project, JSON),
        make=enable,
        change=enable,
        lacks=lacks,
        repeatable=True,
    )


def _account(deployment: Deployment, role: str, title: str) -> Ensure:
    project = f"--project={deployment.project}"
    email = deployment.account(role)
    return Ensure(
        title=f"service account {email.partition('@')[0]}",
        find=gcloud("iam service-accounts describe", email, project, JSON),
        make=gcloud(
            "iam service-accounts create", email.partition("@")[0], f"--display-name={title}", project
        ),
    )


def _agent(deployment: Deployment, api: str) -> Ensure:
    """Create a service agent now: Google creates it at the first use of the API, which may be too late."""
    return Ensure(
        title=f"service agent of {api}",
        make=gcloud(
            "beta services identity create",
            f"--service={api}.googleapis.com",
            f"--project={deployment.project}",
        ),
        repeatable=True,
    )


def _topic(deployment: Deployment, name: str) -> Ensure:
    project = f"--project={deployment.project}"
    return Ensure(
        title=f"topic {name}",
        find=gcloud("pubsub topics describe", name, project, JSON),
        make=gcloud("pubsub topics create", name, project),
    )


def _bucket(deployment: Deployment) -> list[Step]:
    project, url = f"--project={deployment.project}", deployment.bucket_url
    flags = ("--uniform-bucket-level-access", "--public-access-prevention")
    expected = {"uniform access": "on", "public access prevention": "enforced"}
    bucket = Ensure(
        title=f"bucket {deployment.bucket}",
        find=gcloud("storage buckets describe", url, project, JSON),
        make=gcloud("storage buckets create", url, f"--location={deployment.region}", *flags, project),
        change=gcloud("storage buckets update", url, *flags, project),
        lacks=lambda document, _: differences(expected, bucket_facts(document)),
        hint=" (bucket names are global: if this one is taken, give --bucket)",
    )
    return [bucket, *_expiry(deployment)]


def _expiry(deployment: Deployment) -> list[Step]:
    """Keep every object, or delete those older than the user's limit."""
    project, days = f"--project={deployment.project}", deployment.retain_days
    expected = {"expiry": f"after {days} days" if days else "never"}
    rules = f"--lifecycle-file={LIFECYCLE_FILE}" if days else "--clear-lifecycle"
    update = gcloud("storage buckets update", deployment.bucket_url, rules, project)
    expiry = Ensure(
        title=f"expiry of results: {expected['expiry']}",
        find=gcloud("storage buckets describe", deployment.bucket_url, project, JSON),
        make=update,
        change=update,
        lacks=lambda document, _: differences(expected, bucket_facts(document)),
        repeatable=True,
        tailored=True,
    )
    if not days:
        return [expiry]
    write = Command((PYTHON_PROGRAM, "-m", "deploy.lifecycle", str(days), LIFECYCLE_FILE))
    return [Ensure(title=f"lifecycle rules in {LIFECYCLE_FILE}", make=write, repeatable=True), expiry]


def _worker_role(deployment: Deployment, target: str, role: str) -> Ensure:
    verb = {"objectCreator": "write new objects to", "objectViewer": "read"}[
        last_part(role).partition(".")[2]
    ]
    return grant(
        f"the {target} may {verb} {deployment.bucket}",
        "storage buckets",
        (deployment.bucket_url, f"--project={deployment.project}"),
        deployment.account(target),
        role,
    )


def _repository(deployment: Deployment) -> list[Step]:
    """The image repository, and the roles of the account that builds images."""
    project = f"--project={deployment.project}"
    place = (f"--location={deployment.region}", project)
    build = deployment.account("build")
    on_project = ("projects", (deployment.project,), build)
    # Function and image builds read their sources only from buckets of these names.
    sources = " || ".join(
        f'resource.name.startsWith("projects/_/buckets/{name}")'
        for name in ("gcf-v2-sources-${PROJECT_NUMBER}", f"{deployment.project}_cloudbuild")
    )
    return [
        Ensure(
            title=f"image repository {deployment.repository}",
            find=gcloud("artifacts repositories describe", deployment.repository, *place, JSON),
            make=gcloud(
                "artifacts repositories create",
                deployment.repository,
                "--repository-format=docker",
                *place,
            ),
        ),
        grant(
            f"builds may push images to {deployment.repository}",
            "artifacts repositories",
            (deployment.repository, *place),
            build,
            "roles/artifactregistry.writer",
        ),
        _unconditional(grant("builds may write logs", *on_project, "roles/logging.logWriter")),
        under_condition(
            grant("builds may read their sources", *on_project, "roles/storage.objectViewer"),
            "build-sources",
            sources,
        ),
    ]


def _unconditional(step: Ensure) -> Ensure:
    """Explicitly unconditional: gcloud would ask if other bindings of the policy have conditions."""
    make = step.make.adding("--condition=None")
    return replace(step, make=make, change=make)
