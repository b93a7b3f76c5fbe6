"""Trace ids: from the headers that Google's front ends and OpenTelemetry send, for the logs."""

from __future__ import annotations

import re
from typing import Final, Protocol

_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")


class Headers(Protocol):
    """What frameworks' header objects and a dict have in common."""

    def get(self, key: str, default: str, /) -> str:
        """The value of a header, or the default."""
        ...


def trace_id(traceparent: str | None) -> str | None:
    """The trace id in a W3C `traceparent`, or None if there is none.

    Source: https://www.w3.org/TR/trace-context/#traceparent-header
    """
    found = _TRACEPARENT.fullmatch(traceparent or "")
    return found.group(1) if found else None


def trace_id_of(headers: Headers) -> str | None:
    """The trace id of an HTTP request, or None.

    Args:
        headers: case-insensitive, as frameworks give them. `X-Cloud-Trace-Context` ("TRACE/SPAN;o=1",
            set by Google's front end) wins over `traceparent`.
    """
    found = _TRACE_ID.match(headers.get("X-Cloud-Trace-Context", "").lower())
    return found.group(0) if found else trace_id(headers.get("traceparent", ""))
