"""What one Celery message carries: a task's Pub/Sub message, and what its deliveries have met so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, cast

from pipeline.errors import MessageError
from results.targets import TARGETS, Target

MAX_ERROR_CHARS: Final = 500
_MAX_COUNT: Final = 10**6


@dataclass(frozen=True, slots=True)
class QueuedDelivery:
    """The arguments of a delivery, in the form in which they travel.

    Args:
        target: who the message is for.
        message: the Pub/Sub message as JSON, made by `queued_message`. Not looked into here: what is
            wrong in it is the target's to say.
        attempt: deliveries that failed, so far.
        busy: deliveries that met a busy target, so far: these never count against the task.
        not_before: no delivery before this time, in seconds since the epoch.
        last_error: what the last delivery met, or "".
    """

    target: Target
    message: Mapping[str, Any]
    attempt: int = 0
    busy: int = 0
    not_before: float = 0.0
    last_error: str = ""

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> QueuedDelivery:
        """Check the arguments of a Celery message. Unknown ones are ignored.

        Raises:
            MessageError: one is missing, of the wrong type, or outside its limits.
        """
        target, message = arguments.get("target"), arguments.get("message")
        if target not in TARGETS:
            raise MessageError(f"unknown target {str(target)[:60]!r}")
        if not isinstance(message, Mapping):
            raise MessageError("`message` is not an object")
        return cls(
            target=cast("Target", target),
            message=message,
            attempt=_count(arguments, "attempt"),
            busy=_count(arguments, "busy"),
            not_before=_time(arguments.get("not_before", 0.0)),
            last_error=str(arguments.get("last_error", ""))[:MAX_ERROR_CHARS],
        )

    @property
    def message_id(self) -> str:
        """The message's id, or "" if it has none."""
        return str(self.message.get("messageId", ""))

    @property
    def delivery_number(self) -> int:
        """Number of the delivery that comes now, from 1; what Pub/Sub calls `deliveryAttempt`."""
        return self.attempt + self.busy + 1

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of the Celery task."""
        return asdict(self)

    def met_busy(self, error: str, not_before: float) -> QueuedDelivery:
        """The same queued delivery after a busy target."""
        return replace(self, busy=self.busy + 1, last_error=error[:MAX_ERROR_CHARS], not_before=not_before)

    def met_failure(self, error: str, not_before: float) -> QueuedDelivery:
        """The same queued delivery after a failed delivery."""
        return replace(
            self, attempt=self.attempt + 1, last_error=error[:MAX_ERROR_CHARS], not_before=not_before
        )


def _count(arguments: Mapping[str, Any], name: str) -> int:
    value = arguments.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_COUNT:
        raise MessageError(f"`{name}` is not a whole number from 0 to {_MAX_COUNT}")
    return value


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MessageError("`not_before` is not a time")
    return float(value)
