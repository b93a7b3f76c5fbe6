"""What keeps a job from going on: who does not answer, what is lost, and the command that mends it."""

from __future__ import annotations

import http.client
import shlex
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psutil

from pipeline.config.celery_settings import queue_name
from pipeline.config.pubsub_settings import PubSubAddress, is_pubsub
from pipeline.config.run_file import RunFile
from pipeline.config.settings import Settings
from producer.health.broker_health import broker_faults
from producer.health.fault import Fault
from results.job_state import JobState
from results.targets import PUSHED_TARGETS, TARGETS, Target

LIMIT_S: Final = 2.0
"""Who does not answer in this time does not answer."""
_HTTP: Final = "http"


def job_faults(settings: Settings, state: JobState, run_file: RunFile | None) -> list[Fault]:
    """Find what keeps a job from going on; takes a few seconds at most.

    Args:
        settings: the resolved settings: broker, store, workers.
        state: the job's.
        run_file: that of the stack that was started here, if there is one.
    Returns:
        What stops the job comes first; nothing for a job that has ended.
    """
    targets = [name for name, part in state.targets.items() if part.counts().ended < part.counts().tasks]
    if state.status.ended or not targets:
        return []
    own = run_file if run_file and run_file.broker_url == settings.broker_url else None
    if own and not own.is_alive():
        return [Fault(f"the stack that was started at {own.started_at} has ended", up_command(own))]
    checks: list[Callable[[], list[Fault]]] = [
        *(lambda target=target: _worker_faults(settings, target, own) for target in targets),
        lambda: _broker_faults(settings, state, targets, own),
    ]
    with ThreadPoolExecutor(len(checks)) as pool:
        found = [fault for faults in pool.map(lambda check: check(), checks) for fault in faults]
    stopped = [*_stopped(own)] if own else []
    return [*stopped, *sorted(found, key=lambda fault: not fault.stops)]


def up_command(run_file: RunFile) -> str:
    """The command that starts such a stack again, ending what is left of it."""
    folder = f"cd {shlex.quote(run_file.folder)} && " if run_file.folder not in ("", str(Path.cwd())) else ""
    up = f"{folder}diptych up{' --broker pubsub' if is_pubsub(run_file.broker_url) else ''}"
    return f"kill -INT {run_file.pid}; {up}" if run_file.is_alive() else up


def _worker_faults(settings: Settings, target: Target, run_file: RunFile | None) -> list[Fault]:
    """Does the worker answer that a target's tasks are pushed to; one in the cloud is not asked."""
    url = settings.push_url(target)
    parts = urlsplit(url)
    if parts.scheme != _HTTP or not parts.hostname:
        return []
    where = parts.hostname, parts.port or 80
    # functions-framework has no health check, and answers none while it generates.
    lack = _ready_lack(*where) if target == "container" else _connection_lack(*where)
    mend = up_command(run_file) if run_file else "docker compose up --wait"
    return [Fault(f"the {target} does not answer at {url} ({lack})", mend)] if lack else []


def _ready_lack(host: str, port: int) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=LIMIT_S)
    try:
        connection.request("GET", "/health/live")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return "" if status == http.HTTPStatus.OK else str(status)


def _connection_lack(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), timeout=LIMIT_S).close()
    except OSError as error:
        return str(error)
    return ""


def _broker_faults(
    settings: Settings, state: JobState, targets: Sequence[Target], run_file: RunFile | None
) -> list[Fault]:
    mend = up_command(run_file) if run_file else "docker compose up --wait"
    if not settings.broker_url:
        return []
    if not is_pubsub(settings.broker_url):
        return broker_faults(settings, state, targets, mend, LIMIT_S)
    emulator = PubSubAddress.parse(settings.broker_url).emulator
    if not emulator:
        return []
    host, _, port = emulator.rpartition(":")
    lack = _connection_lack(host, int(port))
    return [Fault(f"the Pub/Sub emulator does not answer at {emulator} ({lack})", mend)] if lack else []


def _stopped(run_file: RunFile) -> Iterator[Fault]:
    """Processes of the stack that somebody has stopped: they hold their ports, and answer nobody."""
    try:
        supervisor = psutil.Process(run_file.pid)
        processes = [supervisor, *supervisor.children(recursive=True)]
    except psutil.Error:
        return
    for process in processes:
        try:
            if process.status() == psutil.STATUS_STOPPED:
                name = "supervisor" if process.pid == run_file.pid else _service_of(process)
                yield Fault(f"the {name} is stopped (process {process.pid})", f"kill -CONT {process.pid}")
        except psutil.Error:
            continue


_MARKS: Final = (
    *((queue_name(target), f"deliverer of the {target}") for target in PUSHED_TARGETS),
    *((queue_name(target), f"{target} worker") for target in TARGETS if target not in PUSHED_TARGETS),
    ("worker_container", "container"),
    ("functions_framework", "function"),
    ("valkey-server", "broker"),
    ("pubsub-emulator", "Pub/Sub emulator"),
    ("fake-gcs-server", "storage server"),
    ("diptych web", "page"),
)


def _service_of(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    return next((name for mark, name in _MARKS if mark in line), process.name())
