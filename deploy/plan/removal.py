"""The steps that remove a deployment: first senders, then receivers, data last."""

from __future__ import annotations

from deploy.command import gcloud
from deploy.deployment import Deployment
from deploy.plan.foundation import ACCOUNTS, WORKER_ROLES
from deploy.steps import JSON, Remove, revoke
from results.targets import PUSHED_TARGETS


def destroy_steps(deployment: Deployment, *, delete_data: bool) -> list[Remove]:
    """All removals, in order.

    Args:
        deployment: what was deployed.
        delete_data: also delete the bucket with its contents.
    """
    return [
        _function(deployment),
        *(_subscription(deployment, name) for name in _subscriptions(deployment)),
        _service(deployment),
        *(_topic(deployment, name) for name in (deployment.queue.topic, deployment.queue.dead_letter_topic)),
        *_grants(deployment, bucket_kept=not delete_data),
        *(_account(deployment, role) for role in ACCOUNTS),
        _repository(deployment),
        *([_bucket(deployment)] if delete_data else []),
    ]


def _function(deployment: Deployment) -> Remove:
    """Removes its trigger and the trigger's subscription too."""
    name = deployment.service("function")
    where = ("--gen2", *deployment.region_flags)
    return Remove(
        title=f"function {name}, its trigger and its subscription",
        find=gcloud("functions describe", name, *where, JSON),
        remove=gcloud("functions delete", name, *where),
    )


def _subscriptions(deployment: Deployment) -> tuple[str, ...]:
    queue = deployment.queue
    return (queue.push_subscription("container"), queue.dead_letter_push, queue.dead_letter_pull)


def _subscription(deployment: Deployment, name: str) -> Remove:
    project = f"--project={deployment.project}"
    return Remove(
        title=f"subscription {name}",
        find=gcloud("pubsub subscriptions describe", name, project, JSON),
        remove=gcloud("pubsub subscriptions delete", name, project),
    )


def _service(deployment: Deployment) -> Remove:
    name = deployment.service("container")
    where = deployment.region_flags
    return Remove(
        title=f"Cloud Run service {name}",
        find=gcloud("run services describe", name, *where, JSON),
        remove=gcloud("run services delete", name, *where),
    )


def _topic(deployment: Deployment, name: str) -> Remove:
    project = f"--project={deployment.project}"
    return Remove(
        title=f"topic {name}",
        find=gcloud("pubsub topics describe", name, project, JSON),
        remove=gcloud("pubsub topics delete", name, project),
    )


def _grants(deployment: Deployment, *, bucket_kept: bool) -> list[Remove]:
    """Roles on resources that are kept; roles on removed resources vanish with them."""
    build = deployment.account("build")
    on_project = ("projects", (deployment.project,), build)
    grants = [
        revoke("builds may write logs", *on_project, "roles/logging.logWriter", "--all"),
        revoke("builds may read their sources", *on_project, "roles/storage.objectViewer", "--all"),
    ]
    if bucket_kept:
        on_bucket = (deployment.bucket_url, f"--project={deployment.project}")
        grants += [
            revoke(
                f"{role} of the {target} on {deployment.bucket}",
                "storage buckets",
                on_bucket,
                deployment.account(target),
                role,
            )
            for target in PUSHED_TARGETS
            for role in WORKER_ROLES
        ]
    return grants


def _account(deployment: Deployment, role: str) -> Remove:
    email, project = deployment.account(role), f"--project={deployment.project}"
    return Remove(
        title=f"service account {email.partition('@')[0]}",
        find=gcloud("iam service-accounts describe", email, project, JSON),
        remove=gcloud("iam service-accounts delete", email, project),
    )


def _repository(deployment: Deployment) -> Remove:
    place = (f"--location={deployment.region}", f"--project={deployment.project}")
    return Remove(
        title=f"image repository {deployment.repository}, with its images",
        find=gcloud("artifacts repositories describe", deployment.repository, *place, JSON),
        remove=gcloud("artifacts repositories delete", deployment.repository, *place),
    )


def _bucket(deployment: Deployment) -> Remove:
    project = f"--project={deployment.project}"
    return Remove(
        title=f"bucket {deployment.bucket}, with its contents",
        find=gcloud("storage buckets describe", deployment.bucket_url, project, JSON),
        remove=gcloud("storage rm", "--recursive", deployment.bucket_url, project),
    )
