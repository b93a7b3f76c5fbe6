"""Who may ask, and what a browser may do with the answer.

The page has no accounts: it is for whoever can reach its address, and listens on loopback unless told
otherwise. Three things keep other web sites, open in the same browser, out: a Host that is a name of ours
(DNS rebinding), an Origin that is our own, and a token that only our page can read (both: forged requests).
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from flask import Request, Response

from webpage.errors import ForeignRequest

TOKEN_HEADER: Final = "X-Diptych-Token"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def check_host(request: Request, allowed: Collection[str]) -> None:
    """Refuse a request for a name that is not ours: a foreign name that resolves to this machine.

    An IP address cannot be rebound, so any will do.

    Args:
        allowed: names, in lower case, beside localhost.
    Raises:
        ForeignRequest: with words for the user who meant it well.
    """
    name = _host_name(request.host)
    if name not in {"localhost", *allowed} and not name.endswith(".localhost") and not _is_address(name):
        raise ForeignRequest(f"this page is not served under the name {name[:100]!r}: see --allow-host")


def check_write(request: Request, token: str) -> None:
    """Refuse a request that changes something unless it comes from our own page.

    Raises:
        ForeignRequest: its Origin is not ours, or it does not carry the token.
    """
    origin = urlsplit(request.headers.get("Origin", ""))
    if origin.scheme not in ("http", "https") or origin.netloc.lower() != request.host.lower():
        raise ForeignRequest("only this page itself may do that (the Origin header is not this page's)")
    if not hmac.compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), token.encode()):
        raise ForeignRequest("this page is out of date: load it again")


def harden(response: Response) -> Response:
    """Set the headers that every answer carries."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _host_name(host: str) -> str:
    """The name in a Host header, without its port and brackets; "" if it makes no sense."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
