"""Serving the page: gunicorn, one process with threads.

One process, because one poller shall serve all who follow a job, and because thumbnails and the token live
in its memory. Threads, because an open event stream waits and does not work: each holds one of them, their
number is capped, and the others answer everything else.
"""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication

from webpage.app import app_state_of
from webpage.errors import ServerError

THREADS: Final = 64
CONNECTIONS: Final = 1000

_OPTIONS: Final[dict[str, Any]] = {
    "workers": 1,
    "worker_class": "gthread",
    "threads": THREADS,
    "worker_connections": CONNECTIONS,
    "keepalive": 30,
    # The heartbeat comes from the main thread, which serves nobody.
    "timeout": 120,
    # Streams are told to end; what is left after so many seconds is dropped.
    "graceful_timeout": 5,
    "preload_app": False,
    "control_socket_disable": True,
    "accesslog": None,
    "loglevel": "warning",
    "limit_request_line": 4094,
    "limit_request_fields": 60,
}


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, told what to do by us alone.

    Args:
        make_app: called in the process that serves.
        host: address or name to listen on.
        port: 1..65535.
    """

    def __init__(self, make_app: Callable[[], Flask], host: str, port: int) -> None:
        self._make_app = make_app
        self._bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        super().__init__()

    def load_config(self) -> None:
        """Neither a file nor the environment (GUNICORN_CMD_ARGS) changes anything."""
        for name, value in {**_OPTIONS, "bind": self._bind, "post_worker_init": _handle_signals}.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The app."""
        return self._make_app()


def check_address(host: str, port: int) -> None:
    """See that we can listen there: gunicorn would try for five seconds and then say less.

    Raises:
        ServerError: with what to do.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise ServerError(f"--host {host!r} is no address of this machine ({error.strerror})") from error
    except PermissionError as error:
        raise ServerError(f"port {port} is not allowed for this user: choose another with --port") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServerError(
                f"port {port} on {host} is taken: stop what listens there, or choose another with --port"
            ) from error
        raise ServerError(f"cannot listen on {host}, port {port}: {error.strerror}") from error


def _handle_signals(worker: Any) -> None:
    """Runs in the process that serves: an end ends the streams too, which would never end by themselves."""
    event_streams = app_state_of(worker.app.wsgi()).event_streams

    def stop(number: int, frame: FrameType | None) -> None:
        event_streams.close()
        worker.handle_exit(number, frame)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, stop)
        signal.siginterrupt(number, False)
