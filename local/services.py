"""The workers of the stack: command line, environment and readiness of each.

Container and function get the same: one worker process per slot, one thread in each, and a model that is
loaded at the first task, unless DIPTYCH_PRELOAD says otherwise.
"""

from __future__ import annotations

import http
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from local.addresses import Addresses
from local.errors import StackError
from local.http_call import call
from local.options import StackOptions
from local.ports import HOST, answers
from local.service import Role, Service
from pipeline.config.settings import Settings
from results.targets import Target

UNSET: Final = (
    "PORT",
    "HOST",
    "GUNICORN_CMD_ARGS",
    "CLOUD_RUN_TIMEOUT_SECONDS",
    "FUNCTION_SOURCE",
    "THREADS",
)
"""What would change the servers that we start: where they listen, and settings of gunicorn's own."""
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
        work_folder: the services' working folder, an empty one.
        socket_folder: for gunicorn's control socket; a short path.
        store_exists: its folder is there: if it is not, it has vanished.
    """

    options: StackOptions
    settings: Settings
    store_url: str
    addresses: Addresses
    work_folder: Path
    socket_folder: Path
    store_exists: bool = False


def container(layout: Layout, **more: str) -> Service:
    """The container worker.

    Args:
        more: variables of its environment.
    """
    port = layout.addresses.workers["container"]
    config = ("-c", "python:worker_container.gunicorn_conf", "--bind", f"{HOST}:{port}")
    return Service(
        name="container",
        role=Role.WORKER,
        argv=(sys.executable, "-m", "gunicorn", *config, "worker_container.app:create_app()"),
        ready=lambda _: _health_lacks(port),
        env=environment(layout, "container", DIPTYCH_SLOTS=str(layout.options.container_slots), **more),
        unset=UNSET,
        cwd=layout.work_folder,
    )


def function(layout: Layout, **more: str) -> Service:
    """The function worker.

    Args:
        more: variables of its environment.
    """
    port = layout.addresses.workers["function"]
    what = ("--source", str(_source("worker_function.main")), "--target", "handle")
    where = ("--signature-type", "cloudevent", "--host", HOST, "--port", str(port))
    # One process per slot, as the container has them.
    slots = {"WORKERS": str(layout.options.function_slots), **more}
    return Service(
        name="function",
        role=Role.WORKER,
        argv=(sys.executable, "-m", "functions_framework", *what, *where),
        ready=lambda _: "" if answers(port) else f"no answer on port {port}",
        env=environment(layout, "function", XDG_RUNTIME_DIR=str(layout.socket_folder), **slots),
        unset=UNSET,
        cwd=layout.work_folder,
    )


WORKERS: Final[Mapping[Target, Callable[..., Service]]] = {"container": container, "function": function}
"""What makes the worker of each target that is pushed to: of a Layout, and variables of its environment."""


def page(layout: Layout) -> Service:
    """The page. It finds the models, the store and the broker in its environment."""
    port = layout.addresses.page
    return Service(
        name="page",
        role=Role.WORKER,
        argv=(sys.executable, "-m", "diptych", "web", "--host", HOST, "--port", str(port)),
        ready=lambda _: "" if answers(port) else f"no answer on port {port}",
        env=environment(layout, "container"),
        unset=UNSET,
        cwd=layout.work_folder,
    )


def environment(layout: Layout, target: Target, **more: str) -> dict[str, str]:
    """What a Python service sees on top of our environment."""
    variables = {
        **_ONE_THREAD,
        "PYTHONUNBUFFERED": "1",
        "DIPTYCH_TARGET": target,
        "DIPTYCH_STORE_URL": layout.store_url,
        "DIPTYCH_STORE_MUST_EXIST": str(layout.store_exists),
        "DIPTYCH_BROKER_URL": layout.addresses.broker_url,
        **{f"DIPTYCH_{name.upper()}": url for name, url in layout.addresses.worker_urls().items()},
        # It listens on this machine alone, and nothing here could sign a token.
        "DIPTYCH_PUSH_AUTH": "off",
        "DIPTYCH_LOG_FORMAT": "text",
    }
    if layout.settings.model_dir:
        variables["DIPTYCH_MODEL_DIR"] = str(layout.settings.model_dir.resolve())
    if layout.settings.cache_dir:
        variables["DIPTYCH_CACHE_DIR"] = str(layout.settings.cache_dir.resolve())
    return {**variables, **layout.options.environment, **more}


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
    try:
        status, text = call(port, "GET", "/health/ready")
    except OSError as error:
        return f"no answer on port {port} ({error})"
    if status != http.HTTPStatus.OK:
        raise StackError(f"the container cannot work: {text[:500]}")
    return ""
