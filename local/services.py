"""The services of the stack: command line, environment and readiness of each.

Container and function get the same: one painting process per slot, one thread in each, and a model that is
loaded at the first task, unless DIPTYCH_PRELOAD says otherwise.
"""

from __future__ import annotations

import http.client
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psutil

from local.addresses import Addresses
from local.broker import broker_argv, broker_lacks, give_back_held
from local.errors import StackError
from local.options import StackOptions
from local.ports import HOST, answers
from local.service import Role, Service
from pipeline.celery_settings import worker_argv
from pipeline.settings import Settings
from results.documents import Target

_HTTP_LIMIT_S: Final = 5.0
# What would change the servers that we start: where they listen, and settings of gunicorn's own.
_UNSET: Final = ("PORT", "HOST", "GUNICORN_CMD_ARGS", "CLOUD_RUN_TIMEOUT_SECONDS", "FUNCTION_SOURCE")
# A warning about background saves, which are off here; with an advice that needs root.
_BROKER_NOISE: Final = "WARNING Memory overcommit must be enabled"
# A second thread in an inference library only gets in the other slots' way.
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Layout:
    """All that the services are told.

    Args:
        options: how many of each.
        settings: the user's own, from the environment.
        store_url: where results go.
        addresses: where they listen.
        broker_folder: where the broker keeps its append-only file.
        broker_is_old: an earlier stack has left one there.
        work_folder: the services' working folder, an empty one.
        socket_folder: for gunicorn's control socket; a short path.
    """

    options: StackOptions
    settings: Settings
    store_url: str
    addresses: Addresses
    broker_folder: Path
    broker_is_old: bool
    work_folder: Path
    socket_folder: Path


def stages(layout: Layout) -> list[list[Service]]:
    """The services in the order in which they start: who is called is there before who calls."""
    painters = [_container(layout), _function(layout)]
    couriers = [
        _celery(layout, "container", layout.options.container_slots, "to-container"),
        _celery(layout, "function", layout.options.function_slots, "to-function"),
    ]
    if layout.options.celery_slots:
        couriers.append(_celery(layout, "celery", layout.options.celery_slots, "celery"))
    return [[_broker(layout)], painters, couriers]


def _broker(layout: Layout) -> Service:
    port = layout.addresses.broker

    def lacks(_: int) -> str:
        """Asked while the stack starts, until there is nothing lacking: no deliverer runs yet."""
        lack = broker_lacks(port)
        if not lack and layout.broker_is_old:
            give_back_held(layout.settings.model_copy(update={"broker_url": layout.addresses.broker_url}))
        return lack

    return Service(
        name="broker",
        role=Role.BROKER,
        argv=broker_argv(layout.broker_folder, port),
        ready=lacks,
        cwd=layout.work_folder,
        noise=_BROKER_NOISE,
    )


def _container(layout: Layout) -> Service:
    port = layout.addresses.container
    config = ("-c", "python:worker_container.gunicorn_conf", "--bind", f"{HOST}:{port}")
    return Service(
        name="container",
        role=Role.WORKER,
        argv=(sys.executable, "-m", "gunicorn", *config, "worker_container.app:create_app()"),
        ready=lambda _: _health_lacks(port),
        env=_environment(layout, "container", DIPTYCH_SLOTS=str(layout.options.container_slots)),
        unset=_UNSET,
        cwd=layout.work_folder,
    )


def _function(layout: Layout) -> Service:
    port = layout.addresses.function
    what = ("--source", str(_source("worker_function.main")), "--target", "handle")
    where = ("--signature-type", "cloudevent", "--host", HOST, "--port", str(port))
    # One process per slot and one request at a time in each: an instance with one CPU and concurrency 1.
    slots = {"WORKERS": str(layout.options.function_slots), "THREADS": "1"}
    return Service(
        name="function",
        role=Role.WORKER,
        argv=(sys.executable, "-m", "functions_framework", *what, *where),
        ready=lambda _: "" if answers(port) else f"no answer on port {port}",
        env=_environment(layout, "function", XDG_RUNTIME_DIR=str(layout.socket_folder), **slots),
        unset=_UNSET,
        cwd=layout.work_folder,
    )


def _celery(layout: Layout, target: Target, slots: int, name: str) -> Service:
    port = layout.addresses.broker
    return Service(
        name=name,
        role=Role.DELIVERER,
        argv=(sys.executable, *worker_argv(target, slots)),
        ready=lambda pid: "" if _is_connected(pid, port) else "it has no connection to the broker",
        env=_environment(layout, target),
        unset=_UNSET,
        cwd=layout.work_folder,
    )


def _environment(layout: Layout, target: Target, **more: str) -> dict[str, str]:
    """What a Python service sees on top of our environment."""
    environment = {
        **_ONE_THREAD,
        "PYTHONUNBUFFERED": "1",
        "DIPTYCH_TARGET": target,
        "DIPTYCH_STORE_URL": layout.store_url,
        "DIPTYCH_BROKER_URL": layout.addresses.broker_url,
        "DIPTYCH_CONTAINER_URL": layout.addresses.container_url,
        "DIPTYCH_FUNCTION_URL": layout.addresses.function_url,
        # It listens on this machine alone, and nothing here could sign a token.
        "DIPTYCH_PUSH_AUTH": "off",
        "DIPTYCH_LOG_FORMAT": "text",
    }
    if layout.settings.model_dir:
        environment["DIPTYCH_MODEL_DIR"] = str(layout.settings.model_dir.resolve())
    if layout.settings.cache_dir:
        environment["DIPTYCH_CACHE_DIR"] = str(layout.settings.cache_dir.resolve())
    return {**environment, **layout.options.environment, **more}


def _source(module: str) -> Path:
    """The file of a module that must not be imported here."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def _health_lacks(port: int) -> str:
    """Return "" if the container says that it is ready, else why it does not answer.

    Raises:
        StackError: it says that it cannot work; waiting would not help.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=_HTTP_LIMIT_S)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        text = response.read(500).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"no answer on port {port} ({error})"
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise StackError(f"the container cannot work: {text}")
    return ""


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
