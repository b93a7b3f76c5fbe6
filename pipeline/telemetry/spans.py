"""What a delivery tells whoever collects traces, and those to whom it says nothing.

While tracing is off a delivery pays for one attribute look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from pipeline.protocol.outcomes import Result

StageObserver = Callable[[str, float], None]
"""Told of each piece of work just after it: its stage, and how many seconds it took. From any thread."""


class DeliverySpan(Protocol):
    """One delivery, while it is handled."""

    @property
    def trace_id(self) -> str | None:
        """Its trace, for the logs; None if nobody collects it."""
        ...

    def end_with(self, result: Result) -> None:
        """Say how it ended."""
        ...


class Tracing(Protocol):
    """Where spans go."""

    def delivery(
        self, traceparent: str | None, attributes: Mapping[str, str | int]
    ) -> AbstractContextManager[DeliverySpan]:
        """The span of a delivery, current in this thread while it is entered.

        Args:
            traceparent: W3C trace context of the publisher, or None.
            attributes: names and values to find it by.
        """
        ...

    def stages(self) -> StageObserver | None:
        """What makes spans of stages, below the span that is current in this thread; None: nothing does."""
        ...


class _NoSpan:
    trace_id: Final = None

    def end_with(self, result: Result) -> None:  # noqa: ARG002 (the protocol's)
        return


class NoTracing:
    """Nobody collects spans."""

    def __init__(self) -> None:
        self._delivery = nullcontext(_NoSpan())

    def delivery(
        self,
        traceparent: str | None,  # noqa: ARG002 (the protocol's)
        attributes: Mapping[str, str | int],  # noqa: ARG002
    ) -> AbstractContextManager[DeliverySpan]:
        """See Tracing."""
        return self._delivery

    def stages(self) -> StageObserver | None:
        """See Tracing."""
        return None
