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
    # Google deletes a subscription after 31 idle days by default.
    "expiry": "never",
}


def timing_flags() -> tuple[str, ...]:
    """Flags of every push subscription."""
    return (
        f"--ack-deadline={ACK_DEADLINE_S}",
        f"--message-retention-duration={RETENTION_DAYS}d",
        f"--min-retry-delay={MIN_BACKOFF_S}s",
        f"--max-retry-delay={MAX_BACKOFF_S}s",
        "--expiration-period=never",
    )


def task_facts(deployment: Deployment) -> Facts:
    """The expected facts of a subscription of tasks."""
    return {
        **TIMING,
        "dead-letter topic": deployment.queue.dead_letter_topic,
        "delivery attempts": str(MAX_DELIVERY_ATTEMPTS),
    }


def task_flags(deployment: Deployment) -> tuple[str, ...]:
    """Flags of a subscription of tasks."""
    return (
        *timing_flags(),
        f"--dead-letter-topic={deployment.queue.dead_letter_topic}",
        f"--max-delivery-attempts={MAX_DELIVERY_ATTEMPTS}",
    )


def container_subscription(deployment: Deployment) -> Ensure:
    """The subscription that pushes tasks to the container."""
    name = deployment.queue.push_subscription("container")
    endpoint = f"{deployment.container_url}/"
    expected = {**task_facts(deployment), **push_facts(deployment, endpoint)}
    return _subscription(
        deployment,
        name,
        topic=deployment.queue.topic,
        expected={**expected, "filter": "attributes:target_container"},
        flags=(*task_flags(deployment), *_push_flags(deployment, endpoint)),
        create_only=("--message-filter=attributes:target_container",),
    )


def dead_letter_subscription(deployment: Deployment) -> Ensure:
    """The subscription that pushes dead letters to the container, which writes them into the store."""
    endpoint = f"{deployment.container_url}{DEAD_LETTER_PATH}"
    return _subscription(
        deployment,
        deployment.queue.dead_letter_push,
        topic=deployment.queue.dead_letter_topic,
        expected={**TIMING, **push_facts(deployment, endpoint), "filter": NONE},
        flags=(*timing_flags(), *_push_flags(deployment, endpoint)),
    )


def dead_letter_pull_subscription(deployment: Deployment) -> Ensure:
    """The subscription that keeps dead letters for `diptych dlq`, in case their pushes fail."""
    return _subscription(
        deployment,
        deployment.queue.dead_letter_pull,
        topic=deployment.queue.dead_letter_topic,
        expected={"retention": TIMING["retention"], "expiry": TIMING["expiry"], "push endpoint": NONE},
        flags=(f"--message-retention-duration={RETENTION_DAYS}d", "--expiration-period=never"),
    )


def dead_letter_grant(deployment: Deployment, subscription: str, title: str) -> Ensure:
    """Allow Pub/Sub to acknowledge a subscription's messages that it dead-letters.

    Args:
        deployment: the deployment.
        subscription: its name, or a variable.
        title: its name in the step's title.
    """
    return grant(
        f"Pub/Sub may take dead letters from {title}",
        "pubsub subscriptions",
        (subscription, f"--project={deployment.project}"),
        deployment.pubsub_agent,
        "roles/pubsub.subscriber",
    )


def push_facts(deployment: Deployment, endpoint: str) -> Facts:
    """The expected facts of a push subscription."""
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
    expected: Facts,
    flags: tuple[str, ...],
    create_only: tuple[str, ...] = (),
) -> Ensure:
    project = f"--project={deployment.project}"
    fixed = ("topic", "filter") if "filter" in expected else ("topic",)
    return Ensure(
        title=f"subscription {name}",
        find=gcloud("pubsub subscriptions describe", name, project, JSON),
        make=gcloud("pubsub subscriptions create", name, f"--topic={topic}", *create_only, *flags, project),
        change=gcloud("pubsub subscriptions update", name, *flags, project),
        lacks=expecting({**expected, "topic": topic}, subscription_facts, never_changes=fixed),
        patient=True,
    )
