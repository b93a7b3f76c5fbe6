"""From an outcome to the HTTP response that a queue understands; the same for every HTTP worker."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from pipeline.protocol.outcomes import Result

ACKNOWLEDGED: Final = 204
"""Of the codes that acknowledge, the one that Pub/Sub, its emulator and our deliverer agree on."""
COME_BACK: Final = 503
AT_FAULT: Final = 500


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What to answer a push with.

    Args:
        status: 204 acknowledges, 503 asks to come back, 500 asks too and counts as an attempt.
        headers: Retry-After, in whole seconds, where there is something to wait for.
        body: one line for whoever reads the deliverer's log; empty for 204.
    """

    status: int
    headers: dict[str, str]
    body: str


def http_response(result: Result) -> HttpResponse:
    """The response for an outcome."""
    if result.outcome.acknowledged:
        return HttpResponse(ACKNOWLEDGED, {}, "")
    headers = {}
    if result.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(result.retry_after_s))
    status = AT_FAULT if result.at_fault else COME_BACK
    return HttpResponse(status, headers, f"{result.reason}: {result.detail}\n")
