"""Subscriptions: how tasks and dead letters reach the workers."""

from __future__ import annotations

from deploy.command import gcloud
from deploy.deployment import DEAD_LETTER_PATH, Deployment
from deploy.facts import NONE, Facts, subscription_facts
from deploy.steps import JSON, Ensure, expecting, grant
from pipeline.config.pubsub_settings import (
    ACK_DEADLINE_S,
    MAX_BACKOFF_S,
    MAX_DELIVERY_ATTEMPTS,
    MIN_BACKOFF_S,
    RETENTION_DAYS,
    RETENTION_S,
)

TIMING: Facts = {
    "ack deadline": f"{ACK_DEADLINE_S} s",
    "retention": f"{RETENTION_S} s",
    "retry delay": f"{MIN_BACKOFF_S} s to {MAX_BACKOFF_S} s",
    # Google deletes a subscription after 31 idle days unless told otherwise.
    "expiry": "never",
}


def timing_flags() -> tuple[str, ...]:
    """What all subscriptions that push have in common."""
    return (
        f"--ack-deadline={ACK_DEADLINE_S}",
        f"--message-retention-duration={RETENTION_DAYS}d",
        f"--min-retry-delay={MIN_BACKOFF_S}s",
        f"--max-retry-delay={MAX_BACKOFF_S}s",
        "--expiration-period=never",
    )


def task_facts(deployment: Deployment) -> Facts:
    """What a subscription of tasks must be, whoever made it."""
    return {
        **TIMING,
        "dead-letter topic": deployment.queue.dead_letter_topic,
        "delivery attempts": str(MAX_DELIVERY_ATTEMPTS),
    }


def task_flags(deployment: Deployment) -> tuple[str, ...]:
    """Flags that make a subscription so."""
    return (
        *timing_flags(),
        f"--dead-letter-topic={deployment.queue.dead_letter_topic}",
        f"--max-delivery-attempts={MAX_DELIVERY_ATTEMPTS}",
    )


def container_subscription(deployment: Deployment) -> Ensure:
    """Pushes the tasks that are meant for the container to it."""
    name = deployment.queue.push_subscription("container")
    endpoint = f"{deployment.container_url}/"
    wanted = {**task_facts(deployment), **push_facts(deployment, endpoint)}
    return _subscription(
        deployment,
        name,
        topic=deployment.queue.topic,
        wanted={**wanted, "filter": "attributes:target_container"},
        flags=(*task_flags(deployment), *_push_flags(deployment, endpoint)),
        create_only=("--message-filter=attributes:target_container",),
    )


def dead_letter_subscription(deployment: Deployment) -> Ensure:
    """Pushes dead letters to the container, which writes them into the store."""
    endpoint = f"{deployment.container_url}{DEAD_LETTER_PATH}"
    return _subscription(
        deployment,
        deployment.queue.dead_letter_push,
        topic=deployment.queue.dead_letter_topic,
        wanted={**TIMING, **push_facts(deployment, endpoint), "filter": NONE},
        flags=(*timing_flags(), *_push_flags(deployment, endpoint)),
    )


def dead_letter_pull_subscription(deployment: Deployment) -> Ensure:
    """Keeps dead letters for `diptych dlq`, should the container not get them."""
    return _subscription(
        deployment,
        deployment.queue.dead_letter_pull,
        topic=deployment.queue.dead_letter_topic,
        wanted={"retention": TIMING["retention"], "expiry": TIMING["expiry"], "push endpoint": NONE},
        flags=(f"--message-retention-duration={RETENTION_DAYS}d", "--expiration-period=never"),
    )


def dead_letter_grant(deployment: Deployment, subscription: str, title: str) -> Ensure:
    """Pub/Sub takes what it gives up out of a subscription, and must be allowed to.

    Args:
        deployment: the deployment.
        subscription: its name, or a variable.
        title: how to call it.
    """
    return grant(
        f"Pub/Sub may take dead letters from {title}",
        "pubsub subscriptions",
        (subscription, f"--project={deployment.project}"),
        deployment.pubsub_agent,
        "roles/pubsub.subscriber",
    )


def push_facts(deployment: Deployment, endpoint: str) -> Facts:
    """What a pushing subscription of ours must be."""
    return {
        "push endpoint": endpoint,
        "push account": deployment.account("push"),
        "push audience": deployment.container_url,
    }


def _push_flags(deployment: Deployment, endpoint: str) -> tuple[str, ...]:
    return (
        f"--push-endpoint={endpoint}",
        f"--push-auth-service-account={deployment.account('push')}",
        f"--push-auth-token-audience={deployment.container_url}",
    )


def _subscription(
    deployment: Deployment,
    name: str,
    *,
    topic: str,
    wanted: Facts,
    flags: tuple[str, ...],
    create_only: tuple[str, ...] = (),
) -> Ensure:
    project = f"--project={deployment.project}"
    fixed = ("topic", "filter") if "filter" in wanted else ("topic",)
    return Ensure(
        title=f"subscription {name}",
        find=gcloud("pubsub subscriptions describe", name, project, JSON),
        make=gcloud("pubsub subscriptions create", name, f"--topic={topic}", *create_only, *flags, project),
        change=gcloud("pubsub subscriptions update", name, *flags, project),
        lacks=expecting({**wanted, "topic": topic}, subscription_facts, never_changes=fixed),
        patient=True,
    )
