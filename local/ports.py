"""Ports of the local stack, on 127.0.0.1 only."""

from __future__ import annotations

import socket
from typing import Any, Final

import psutil

from local.errors import StackError

HOST: Final = "127.0.0.1"


def choose_port(port: int, service: str, option: str) -> int:
    """Return a port to listen on.

    Args:
        port: the port wanted, or 0 for any free one.
        service: who wants it, for the message.
        option: the command-line option that names another.
    Raises:
        StackError: the port is taken, or may not be used by this user.
    """
    with socket.socket() as probe:
        # Without it, a port that a stack has just left counts as taken for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError as error:
            raise StackError(
                f"port {port} for the {service} is not allowed for this user: choose another with {option}"
            ) from error
        except OSError as error:
            raise StackError(
                f"port {port} for the {service} is taken{_holder(port)}:"
                f" stop that, or choose another with {option} (0: any free port)"
            ) from error
        chosen: int = probe.getsockname()[1]
        return chosen


def answers(port: int) -> bool:
    """True if something accepts connections on the port."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False


def _holder(port: int) -> str:
    """Name the process that listens on a port, as far as this user may see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            address: Any = connection.laddr  # its type stub says that it may be empty, which LISTEN is not
            if connection.status == psutil.CONN_LISTEN and address.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return ""
