"""What brings tasks to the workers without a cloud: the embedded broker, and Celery workers that push."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil

from local.celery.broker import broker_argv, broker_lacks
from local.service import Role, Service
from local.services import UNSET, Layout, environment
from pipeline.config.celery_settings import worker_argv
from results.targets import PUSHED_TARGETS, Target

# A warning about background saves, which are off here; with an advice that needs root.
_BROKER_NOISE: Final = "WARNING Memory overcommit must be enabled"


def broker(layout: Layout, folder: Path, when_up: Callable[[], None]) -> Service:
    """The embedded broker.

    Args:
        folder: where it keeps its append-only file.
        when_up: called each time it answers while the stack starts: no deliverer runs yet.
    """
    port, password = layout.addresses.broker, layout.addresses.password

    def lacks(_: int) -> str:
        lack = broker_lacks(port, password)
        if not lack:
            when_up()
        return lack

    return Service(
        name="broker",
        role=Role.BROKER,
        argv=broker_argv(folder, port, password),
        ready=lacks,
        cwd=layout.work_folder,
        noise=(_BROKER_NOISE,),
    )


def deliverers(layout: Layout) -> list[Service]:
    """Who delivers to each target, and the workers of the target `celery`."""
    options = layout.options
    services = [_celery(layout, target, options.slots(target), f"to-{target}") for target in PUSHED_TARGETS]
    if options.celery_slots:
        services.append(_celery(layout, "celery", options.celery_slots, "celery"))
    return services


def _celery(layout: Layout, target: Target, slots: int, name: str) -> Service:
    port = layout.addresses.broker
    return Service(
        name=name,
        role=Role.DELIVERER,
        argv=(sys.executable, *worker_argv(target, slots)),
        ready=lambda pid: "" if _is_connected(pid, port) else "it has no connection to the broker",
        env=environment(layout, target),
        unset=UNSET,
        cwd=layout.work_folder,
    )


def _is_connected(pid: int, port: int) -> bool:
    """True if a process has a connection to a port. A Celery worker connects once its pool is up."""
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(
        connection.raddr and connection.raddr.port == port and connection.status == psutil.CONN_ESTABLISHED
        for connection in connections
    )
