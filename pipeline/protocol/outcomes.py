"""What a delivery is, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import uuid4

from results.targets import Target


class Outcome(StrEnum):
    """How a delivery ended. All but RETRY are acknowledged."""

    DONE = "done"
    DUPLICATE = "duplicate"
    CANCELLED = "cancelled"
    FAILED = "failed"
    RETRY = "retry"

    @property
    def acknowledged(self) -> bool:
        """True if the queue must not deliver the task again."""
        return self is not Outcome.RETRY


@dataclass(frozen=True, slots=True)
class Delivery:
    """One arrival of a task at a target.

    Args:
        target: who it arrived at.
        message_id: the broker's id; the same for every delivery of a message.
        published_at: when the broker took the message, aware UTC, if known.
        attempt: the broker's delivery count from 1, if known.
        trace: trace id for the logs, if known.
        delivery_id: unique to this arrival, made by whoever receives it.
    """

    target: Target
    message_id: str
    published_at: datetime | None
    attempt: int | None
    trace: str | None
    delivery_id: str

    @staticmethod
    def new_id() -> str:
        """A fresh delivery id: 32 hex digits."""
        return uuid4().hex


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a delivery, with the reason for the logs.

    Args:
        outcome: how it ended.
        reason: short machine-readable word, e.g. "recorded", "store_unavailable", "deadline".
        detail: one line for people.
        retry_after_s: for RETRY, when it makes sense to deliver again.
        at_fault: for RETRY, True if the task or this worker may itself be the cause (a bug, out of memory,
            no right to write). Such a delivery counts as an attempt, so that it ends as a dead letter and
            does not loop for ever; busy, stopping and a store that is away do not count.
    """

    outcome: Outcome
    reason: str
    detail: str = ""
    retry_after_s: float | None = None
    at_fault: bool = False
