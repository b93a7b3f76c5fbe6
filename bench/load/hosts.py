"""Load goes to this machine, and elsewhere only to a host that the user has called their own."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from bench.errors import BenchError, HostRefused

_CONNECT_S = 10.0


def check_host(url: str, owned: Sequence[str]) -> str:
    """Return the URL if load may go there.

    Args:
        url: http or https.
        owned: hosts of `--i-own-this-host`.
    Raises:
        BenchError: it is no URL.
        HostRefused: the host is not loopback and not named.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
        raise BenchError(f"{url!r} is no address to send to: write http://127.0.0.1:7431/")
    if parts.username or parts.password:
        raise BenchError("an address with a password in it is not taken: the run's folder would keep it")
    if not _is_loopback(parts.hostname) and parts.hostname not in owned:
        raise HostRefused(
            f"load goes only to this machine: if {parts.hostname} is yours, say so with"
            f" --i-own-this-host {parts.hostname}"
        )
    return url


def is_local(url: str) -> bool:
    """True for an address of this machine's own."""
    return _is_loopback(urlsplit(url).hostname or "")


def check_answers(url: str, target: str) -> None:
    """Connect once.

    Raises:
        BenchError: nobody is there.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_S):
            return
    except OSError as error:
        reason = error.strerror or str(error)
        raise BenchError(
            f"the {target} does not answer at {url} ({reason}): start it, or name another"
        ) from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
