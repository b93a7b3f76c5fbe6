"""The stack on this machine: does everything answer, and do its settings fit together."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from deploy.doctor.check import Check, fail, ok, skipped, warn
from deploy.doctor.processes import service_environments
from deploy.facts import Document, differences, subscription_facts
from pipeline.errors import BrokerError, SettingsError
from pipeline.pubsub_settings import (
    ACK_DEADLINE_S,
    MAX_DELIVERY_ATTEMPTS,
    PubSubAddress,
    is_pubsub,
)
from pipeline.run_file import RunFile
from pipeline.settings import Settings
from results.documents import Target

UP: Final = "diptych up"
HTTP_LIMIT_S: Final = 5.0
HTTP_OK: Final = 200
_RESOURCES: Final = (
    "DIPTYCH_THREADS",
    "DIPTYCH_PRELOAD",
    "DIPTYCH_BATCH_SIZE",
    "DIPTYCH_ENGINE",
    "OMP_NUM_THREADS",
)
"""What must be equal for a fair comparison, beside the number of slots."""


def stack_checks(run_file: RunFile | None, settings: Settings) -> Iterator[Check]:
    """All checks of a local stack.

    Args:
        run_file: the stack's, or None if none was started here.
        settings: of this process.
    """
    if run_file is None:
        yield skipped("stack", f"none was started in this folder or above it (`{UP}`)")
        return
    if not run_file.is_alive():
        yield fail("stack", f"the one that was started at {run_file.started_at} has ended", UP)
        return
    yield ok("stack", f"runs since {run_file.started_at} as process {run_file.pid}")
    yield _container(run_file)
    yield _function(run_file)
    environments = service_environments(run_file.pid)
    yield equal_resources(environments)
    if is_pubsub(run_file.broker_url):
        yield from emulator_checks(PubSubAddress.parse(run_file.broker_url))
    else:
        yield broker_check(settings.model_copy(update={"broker_url": run_file.broker_url}))
        yield visibility_check(_deliverer_settings(settings, environments))


def delivery_deadline_s(run_file: RunFile | None, settings: Settings) -> float:
    """When a delivery counts as lost."""
    if run_file and is_pubsub(run_file.broker_url):
        return ACK_DEADLINE_S
    return settings.push_timeout_s


def equal_resources(environments: Mapping[str, Mapping[str, str]]) -> Check:
    """Do container and function get the same."""
    name = "equal resources"
    if not {"container", "function"} <= environments.keys():
        return skipped(name, "the workers' processes cannot be seen from here")
    container, function = environments["container"], environments["function"]
    pairs = {"slots": (container.get("DIPTYCH_SLOTS", "1"), function.get("WORKERS", "1"))}
    pairs |= {each: (container.get(each, "unset"), function.get(each, "unset")) for each in _RESOURCES}
    unequal = [f"{key} {left} and {right}" for key, (left, right) in pairs.items() if left != right]
    if unequal:
        slots = pairs["slots"][0]
        mend = f"{UP} --container-slots {slots} --function-slots {slots}"
        return warn(name, f"container and function differ: {'; '.join(unequal)}: no fair comparison", mend)
    return ok(name, f"container and function have {pairs['slots'][0]} slots each, and equal settings")


def visibility_check(settings: Settings) -> Check:
    """A lost delivery must not come back while the first one still runs."""
    name = "visibility timeout"
    longest_s = settings.push_timeout_s + settings.backoff_max_s
    text = f"{settings.visibility_timeout_s} s; the longest delivery and its pause take {longest_s:g} s"
    if settings.visibility_timeout_s <= longest_s:
        return fail(
            name,
            f"{text}: a task would be painted again while it is still painted",
            f"DIPTYCH_VISIBILITY_TIMEOUT_S={int(longest_s) + 60} {UP}",
        )
    if settings.deadline_s > settings.push_timeout_s:
        return fail(
            name,
            f"a worker may take {settings.deadline_s:g} s, and who waits gives up after"
            f" {settings.push_timeout_s:g} s",
            f"DIPTYCH_PUSH_TIMEOUT_S={int(settings.deadline_s) + 60} {UP}",
        )
    return ok(name, text)


def broker_check(settings: Settings) -> Check:
    """Does the Celery broker answer."""
    from producer.celery_connection import connect

    try:
        _, connection = connect(settings)
    except BrokerError as error:
        return fail("broker", str(error), UP)
    connection.release()
    return ok("broker", f"answers at {connection.as_uri()}")


def emulator_checks(address: PubSubAddress) -> Iterator[Check]:
    """Does the Pub/Sub emulator answer, and are its subscriptions as they should be."""
    import requests

    base = f"http://{address.emulator}/v1"
    try:
        topic = requests.get(f"{base}/{address.topic_path}", timeout=HTTP_LIMIT_S)
    except requests.RequestException as error:
        yield fail("broker", f"the Pub/Sub emulator does not answer at {address.emulator}: {_why(error)}", UP)
        return
    if topic.status_code != HTTP_OK:
        yield fail("broker", f"topic {address.topic} is missing at {address.emulator}", UP)
        return
    yield ok("broker", f"the Pub/Sub emulator answers at {address.emulator}, with topic {address.topic}")
    targets: tuple[Target, ...] = ("container", "function")
    for target in targets:
        name = address.push_subscription(target)
        found = requests.get(f"{base}/{address.subscription_path(name)}", timeout=HTTP_LIMIT_S)
        yield _subscription(address, name, found.json() if found.status_code == HTTP_OK else None)


def _subscription(address: PubSubAddress, name: str, document: Document | None) -> Check:
    title = f"subscription {name}"
    if document is None:
        return fail(title, f"is missing at {address.emulator}", UP)
    wanted = {
        "ack deadline": f"{ACK_DEADLINE_S} s",
        "dead-letter topic": address.dead_letter_topic,
        "delivery attempts": str(MAX_DELIVERY_ATTEMPTS),
    }
    lacking = differences(wanted, subscription_facts(document))
    return (
        fail(title, lacking, UP) if lacking else ok(title, "deadline and dead letters are as they should be")
    )


def _container(run_file: RunFile) -> Check:
    import requests

    parts = urlsplit(run_file.container_url)
    url = f"{parts.scheme}://{parts.netloc}/health/ready"
    try:
        answer = requests.get(url, timeout=HTTP_LIMIT_S)
    except requests.RequestException as error:
        return fail("container", f"does not answer at {url}: {_why(error)}", UP)
    text = " ".join(answer.text[:200].split())
    return ok("container", f"is ready at {url}") if answer.status_code == HTTP_OK else fail("container", text)


def _function(run_file: RunFile) -> Check:
    """functions-framework has no health check, and none would be answered while it paints."""
    parts = urlsplit(run_file.function_url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=HTTP_LIMIT_S).close()
    except OSError as error:
        return fail("function", f"does not answer at {run_file.function_url}: {error.strerror or error}", UP)
    return ok("function", f"accepts connections at {run_file.function_url}")


def _deliverer_settings(settings: Settings, environments: Mapping[str, Mapping[str, str]]) -> Settings:
    """Settings as whoever delivers has them: its environment may be another than ours."""
    seen = environments.get("deliverer", {})
    names = ("visibility_timeout_s", "push_timeout_s", "backoff_max_s", "deadline_s")
    given: dict[str, Any] = {
        name: seen[f"DIPTYCH_{name.upper()}"] for name in names if f"DIPTYCH_{name.upper()}" in seen
    }
    try:
        return Settings(**{**settings.model_dump(include=set(names)), **given})
    except ValueError as error:
        raise SettingsError(f"the running stack has a bad setting: {error}") from error


def _why(error: Exception) -> str:
    """The innermost reason of an exception of requests, in a few words."""
    text = str(error)
    return (
        "connection refused"
        if "refused" in text
        else "no answer in time"
        if "timed out" in text
        else text[:120]
    )
