"""Why a request to a local service failed, in a few words."""

from __future__ import annotations

from typing import Final

HTTP_LIMIT_S: Final = 5.0
HTTP_OK: Final = 200
MAX_REASON: Final = 120


def reason(error: Exception) -> str:
    """The innermost reason of an exception of requests."""
    text = str(error)
    if "refused" in text:
        return "connection refused"
    return "no answer in time" if "timed out" in text else text[:MAX_REASON]
