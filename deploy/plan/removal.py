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
    queue, project, region = deployment.queue, f"--project={deployment.project}", deployment.region_flags
    function, service = deployment.service("function"), deployment.service("container")
    topics = (queue.topic, queue.dead_letter_topic)
    subscriptions = (queue.push_subscription("container"), queue.dead_letter_push, queue.dead_letter_pull)
    accounts = map(deployment.account, ACCOUNTS)
    place = (f"--location={deployment.region}", project)
    images = f"image repository {deployment.repository}, with its images"
    triggered = f"function {function}, its trigger and its subscription"
    return [
        # Its trigger and the trigger's subscription go with it.
        _remove(triggered, "functions", function, "--gen2", *region),
        *(_remove(f"subscription {name}", "pubsub subscriptions", name, project) for name in subscriptions),
        _remove(f"Cloud Run service {service}", "run services", service, *region),
        *(_remove(f"topic {name}", "pubsub topics", name, project) for name in topics),
        *_grants(deployment, bucket_kept=not delete_data),
        *(
            _remove(f"service account {email.partition('@')[0]}", "iam service-accounts", email, project)
            for email in accounts
        ),
        _remove(images, "artifacts repositories", deployment.repository, *place),
        *([_bucket(deployment)] if delete_data else []),
    ]


def _remove(title: str, kind: str, *words: str) -> Remove:
    """A resource that `gcloud KIND describe` shows and `gcloud KIND delete` removes."""
    find, remove = gcloud(f"{kind} describe", *words, JSON), gcloud(f"{kind} delete", *words)
    return Remove(title=title, find=find, remove=remove)


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


def _bucket(deployment: Deployment) -> Remove:
    project = f"--project={deployment.project}"
    return Remove(
        title=f"bucket {deployment.bucket}, with its contents",
        find=gcloud("storage buckets describe", deployment.bucket_url, project, JSON),
        remove=gcloud("storage rm", "--recursive", deployment.bucket_url, project),
    )
