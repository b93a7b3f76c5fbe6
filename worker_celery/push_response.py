"""How a target answered a delivery."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PushResponseKind(StrEnum):
    """ACK ends the task's way; BUSY and FAILED bring it back. Only FAILED counts as an attempt."""

    ACK = "ack"
    BUSY = "busy"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PushResponse:
    """One answer.

    Args:
        detail: one line for the logs and, after the last attempt, for the dead letter.
        retry_after_s: when the target wishes to be asked again; None if it did not say.
    """

    kind: PushResponseKind
    detail: str = ""
    retry_after_s: float | None = None
