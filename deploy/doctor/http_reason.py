"""The reason why a request to a local service failed, in a few words."""

from __future__ import annotations

from typing import Final

HTTP_LIMIT_S: Final = 5.0
HTTP_OK: Final = 200
MAX_REASON: Final = 120


def reason(error: Exception) -> str:
    """Shorten the message of a `requests` exception."""
    text = str(error)
    if "refused" in text:
        return "connection refused"
    return "timed out" if "timed out" in text else text[:MAX_REASON]
