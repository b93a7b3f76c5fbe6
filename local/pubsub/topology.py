"""What the emulator has to be told at each start: topics and subscriptions, which it keeps in memory alone.

Over its REST interface: Google's client would load gRPC into a supervisor that otherwise does without.
"""

from __future__ import annotations

import http
from collections.abc import Iterator, Mapping
from typing import Any

from local.addresses import Addresses
from local.http_call import call
from pipeline.config.pubsub_settings import ACK_DEADLINE_S, MAX_DELIVERY_ATTEMPTS, RETENTION_S
from results.targets import PUSHED_TARGETS, Target

_Resource = tuple[str, Mapping[str, Any]]


def make_topology(addresses: Addresses) -> bool:
    """Make what is not there yet.

    Returns:
        True if the topic was new: the emulator had just been started, and holds no message.
    Raises:
        OSError: the emulator does not answer, or refuses.
    """
    made = [_make(addresses.pubsub, path, body) for path, body in topology(addresses)]
    return made[0]


def topology(addresses: Addresses) -> Iterator[_Resource]:
    """The resources, in the order in which they can be made; the topic of the tasks is the first."""
    topic = addresses.topic
    yield topic.topic_path, {}
    yield topic.dead_letter_topic_path, {}
    for target in PUSHED_TARGETS:
        name = topic.push_subscription(target)
        yield topic.subscription_path(name), _task_push(addresses, target)
    for name, endpoint in (
        (topic.dead_letter_push, f"{addresses.worker_url('container')}dead-letter"),
        (topic.dead_letter_pull, ""),
    ):
        dead = _subscription(topic.dead_letter_topic_path, endpoint)
        yield topic.subscription_path(name), dead


def _task_push(addresses: Addresses, target: Target) -> dict[str, Any]:
    topic = addresses.topic
    # functions-framework takes the topic, which a CloudEvent must name, from the path.
    path = topic.topic_path if target == "function" else ""
    endpoint = f"{addresses.worker_url(target)}{path}"
    return {
        **_subscription(topic.topic_path, endpoint),
        # The emulator stores the filter and pushes everything; workers ignore what is not theirs.
        "filter": f"attributes:target_{target}",
        "deadLetterPolicy": {
            "deadLetterTopic": topic.dead_letter_topic_path,
            "maxDeliveryAttempts": MAX_DELIVERY_ATTEMPTS,
        },
    }


def _subscription(topic_path: str, endpoint: str) -> dict[str, Any]:
    """A push subscription, or one to pull from if there is no endpoint.

    Without a retry policy, unlike in the cloud: with one, whatever its times, the emulator stops pushing for
    good once about twenty messages have failed three times (measured, 0.8.20). Without, it sends again after
    a second.
    """
    push = {"pushConfig": {"pushEndpoint": endpoint}} if endpoint else {}
    return {
        "topic": topic_path,
        "ackDeadlineSeconds": ACK_DEADLINE_S,
        "messageRetentionDuration": f"{RETENTION_S}s",
        **push,
    }


def _make(port: int, path: str, body: Mapping[str, Any]) -> bool:
    """Make one resource; return False if it was there already."""
    status, text = call(port, "PUT", f"/v1/{path}", body)
    if status not in (http.HTTPStatus.OK, http.HTTPStatus.CONFLICT):
        raise OSError(f"the Pub/Sub emulator did not make {path}: {status} {text[:200]}")
    return status == http.HTTPStatus.OK
