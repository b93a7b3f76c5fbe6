"""The stack on this machine: does every service respond, and are its settings consistent?"""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from deploy.doctor.check import Check, fail, ok, skipped, warn
from deploy.doctor.emulator import emulator_checks
from deploy.doctor.http_reason import HTTP_LIMIT_S, HTTP_OK, reason
from deploy.doctor.processes import service_environments
from pipeline.config.pubsub_settings import ACK_DEADLINE_S, PubSubAddress, is_pubsub
from pipeline.config.run_file import RunFile
from pipeline.config.settings import Settings
from pipeline.errors import BrokerError, SettingsError

UP: Final = "diptych up"
STOP_LIMIT_S: Final = 10
"""More than a stack needs to stop."""
_RESOURCES: Final = (
    "DIPTYCH_THREADS",
    "DIPTYCH_PRELOAD",
    "DIPTYCH_BATCH_SIZE",
    "DIPTYCH_ENGINE",
    "OMP_NUM_THREADS",
)
"""Variables that must be equal for a fair comparison, besides the number of slots."""


def stack_checks(run_file: RunFile | None, settings: Settings) -> Iterator[Check]:
    """All checks of a local stack.

    Args:
        run_file: the stack's run file, or None if none was started here.
        settings: settings of this process.
    """
    if run_file is None:
        yield skipped("stack", f"not started in this folder or above it (`{UP}`)")
        if settings.broker_url and not is_pubsub(settings.broker_url):
            yield broker_check(settings)
        return
    if not run_file.is_alive():
        yield fail("stack", f"the stack started at {run_file.started_at} has ended", _up(run_file))
        return
    yield ok("stack", f"running since {run_file.started_at} as process {run_file.pid}")
    yield _container(run_file)
    yield _function(run_file)
    environments = service_environments(run_file.pid)
    yield equal_resources(environments, _up(run_file))
    if is_pubsub(run_file.broker_url):
        address = PubSubAddress.parse(run_file.broker_url)
        yield from emulator_checks(address, run_file.container_url, run_file.function_url, _up(run_file))
    else:
        yield broker_check(settings.model_copy(update={"broker_url": run_file.broker_url}), _up(run_file))
        yield visibility_check(_deliverer_settings(settings, environments))


def delivery_deadline_s(run_file: RunFile | None, settings: Settings) -> float:
    """Time after which a delivery counts as lost."""
    if run_file and is_pubsub(run_file.broker_url):
        return ACK_DEADLINE_S
    environments = service_environments(run_file.pid) if run_file and run_file.is_alive() else {}
    return _deliverer_settings(settings, environments).push_timeout_s


def equal_resources(environments: Mapping[str, Mapping[str, str]], up: str = UP) -> Check:
    """Check that container and function have equal resources.

    Args:
        environments: environments of the workers' processes, by worker.
        up: the command that starts such a stack.
    """
    name = "equal resources"
    if not {"container", "function"} <= environments.keys():
        return skipped(name, "the workers' processes cannot be inspected from here")
    container, function = environments["container"], environments["function"]
    pairs = {"slots": (container.get("DIPTYCH_SLOTS", "1"), function.get("WORKERS", "1"))}
    pairs |= {each: (container.get(each, "unset"), function.get(each, "unset")) for each in _RESOURCES}
    unequal = [f"{key} {left} and {right}" for key, (left, right) in pairs.items() if left != right]
    if unequal:
        slots = pairs["slots"][0]
        mend = f"{up} --container-slots {slots} --function-slots {slots}"
        return warn(name, f"container and function differ: {'; '.join(unequal)}: no fair comparison", mend)
    return ok(name, f"container and function have equal settings and slots: {pairs['slots'][0]}")


def visibility_check(settings: Settings) -> Check:
    """Check that no delivery is repeated while the first one still runs."""
    name = "visibility timeout"
    longest_s = settings.push_timeout_s + settings.backoff_max_s
    text = f"{settings.visibility_timeout_s} s; the longest delivery and its backoff take {longest_s:g} s"
    if settings.visibility_timeout_s <= longest_s:
        return fail(
            name,
            f"{text}: a task would be delivered again while it is still running",
            f"DIPTYCH_VISIBILITY_TIMEOUT_S={int(longest_s) + 60} {UP}",
        )
    if settings.deadline_s > settings.push_timeout_s:
        return fail(
            name,
            f"a worker may take {settings.deadline_s:g} s, but a push times out after"
            f" {settings.push_timeout_s:g} s",
            f"DIPTYCH_PUSH_TIMEOUT_S={int(settings.deadline_s) + 60} {UP}",
        )
    return ok(name, text)


def broker_check(settings: Settings, up: str = UP) -> Check:
    """Check that the Celery broker responds.

    Args:
        settings: `broker_url` must be set.
        up: the command that starts such a stack.
    """
    from producer.celery.connection import connect, eviction_warning

    try:
        _, connection = connect(settings)
    except BrokerError as error:
        return fail("broker", str(error), up)
    warning = eviction_warning(connection)
    connection.release()
    return warn("broker", warning) if warning else ok("broker", f"responds at {connection.as_uri()}")


def _container(run_file: RunFile) -> Check:
    import requests

    parts = urlsplit(run_file.container_url)
    url = f"{parts.scheme}://{parts.netloc}/health/ready"
    try:
        response = requests.get(url, timeout=HTTP_LIMIT_S)
    except requests.RequestException as error:
        return fail("container", f"does not respond at {url}: {reason(error)}", _up(run_file))
    if response.status_code == HTTP_OK:
        return ok("container", f"is ready at {url}")
    text = " ".join(response.text[:200].split())
    return fail("container", f"is not ready at {url}: {text}", f"tail {shlex.quote(run_file.log_file)}")


def _function(run_file: RunFile) -> Check:
    """Check the port: functions-framework has no health check, and would not respond while it generates."""
    parts = urlsplit(run_file.function_url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=HTTP_LIMIT_S).close()
    except OSError as error:
        return fail(
            "function",
            f"does not respond at {run_file.function_url}: {error.strerror or error}",
            _up(run_file),
        )
    return ok("function", f"accepts connections at {run_file.function_url}")


def _up(run_file: RunFile) -> str:
    """The command that starts such a stack, replacing a running one."""
    up = f"{UP} --broker pubsub" if is_pubsub(run_file.broker_url) else UP
    return f"kill -INT {run_file.pid}; sleep {STOP_LIMIT_S}; {up}" if run_file.is_alive() else up


def _deliverer_settings(settings: Settings, environments: Mapping[str, Mapping[str, str]]) -> Settings:
    """Settings of the deliverer, whose environment may differ from ours."""
    environment = environments.get("deliverer", {})
    names = ("visibility_timeout_s", "push_timeout_s", "backoff_max_s", "deadline_s")
    given: dict[str, Any] = {
        name: environment[f"DIPTYCH_{name.upper()}"]
        for name in names
        if f"DIPTYCH_{name.upper()}" in environment
    }
    try:
        return Settings(**{**settings.model_dump(include=set(names)), **given})
    except ValueError as error:
        raise SettingsError(f"the running stack has a bad setting: {error}") from error
