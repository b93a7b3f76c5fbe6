"""The Pub/Sub emulator of a local stack: does it respond, and is it configured as the cloud is?"""

from __future__ import annotations

from collections.abc import Iterator

from deploy.deployment import DEAD_LETTER_PATH
from deploy.doctor.check import Check, fail, ok
from deploy.doctor.http_reason import HTTP_LIMIT_S, HTTP_OK, reason
from deploy.facts import NONE, Document, Facts, differences, subscription_facts
from pipeline.config.pubsub_settings import ACK_DEADLINE_S, MAX_DELIVERY_ATTEMPTS, RETENTION_S, PubSubAddress


def emulator_checks(
    address: PubSubAddress, container_url: str, function_url: str, up: str
) -> Iterator[Check]:
    """Check the topic and each subscription.

    Args:
        address: the topic of the tasks at the emulator.
        container_url: URL of the container, with a trailing slash.
        function_url: URL of the function.
        up: the command that starts such a stack and creates topic and subscriptions.
    """
    import requests

    base = f"http://{address.emulator}/v1"
    try:
        topic = requests.get(f"{base}/{address.topic_path}", timeout=HTTP_LIMIT_S)
        if topic.status_code != HTTP_OK:
            yield fail("broker", f"topic {address.topic} is missing at {address.emulator}", up)
            return
        yield ok("broker", f"the Pub/Sub emulator responds at {address.emulator}, with topic {address.topic}")
        for name, expected in _expected(address, container_url, function_url).items():
            response = requests.get(f"{base}/{address.subscription_path(name)}", timeout=HTTP_LIMIT_S)
            document = response.json() if response.status_code == HTTP_OK else None
            yield _subscription(address, name, expected, document, up)
    except requests.RequestException as error:
        why = reason(error)
        yield fail("broker", f"the Pub/Sub emulator does not respond at {address.emulator}: {why}", up)


def _expected(address: PubSubAddress, container_url: str, function_url: str) -> dict[str, Facts]:
    """The expected facts of each subscription, by name."""
    tasks = {
        "topic": address.topic,
        "ack deadline": f"{ACK_DEADLINE_S} s",
        "retention": f"{RETENTION_S} s",
        "dead-letter topic": address.dead_letter_topic,
        "delivery attempts": str(MAX_DELIVERY_ATTEMPTS),
    }
    dead = {"topic": address.dead_letter_topic, "retention": f"{RETENTION_S} s"}
    dead_letters = f"{container_url.rstrip('/')}{DEAD_LETTER_PATH}"
    return {
        address.push_subscription("container"): {**tasks, "push endpoint": container_url},
        # functions-framework reads the topic from the path.
        address.push_subscription("function"): {
            **tasks,
            "push endpoint": f"{function_url}{address.topic_path}",
        },
        address.dead_letter_push: {**dead, "push endpoint": dead_letters},
        address.dead_letter_pull: {**dead, "push endpoint": NONE},
    }


def _subscription(
    address: PubSubAddress, name: str, expected: Facts, document: Document | None, up: str
) -> Check:
    title = f"subscription {name}"
    if document is None:
        return fail(title, f"is missing at {address.emulator}", up)
    lacking = differences(expected, subscription_facts(document))
    return fail(title, lacking, up) if lacking else ok(title, "as expected")
