"""Spans of a delivery, for whoever collects traces; off unless DIPTYCH_TRACING says otherwise.

While it is off nothing of OpenTelemetry is imported, and a delivery pays for one attribute look-up. On, the
trace that the publisher began goes on here: its context travels in the message (`googclient_traceparent`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Final, Protocol

from pipeline.config.settings import Settings
from pipeline.errors import SettingsError
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


def open_tracing(settings: Settings, service: str) -> Tracing:
    """Make what the settings ask for. Call it in the process that serves: it starts a thread that exports.

    Args:
        settings: `tracing`; where spans go is for the standard OTEL_* variables to say.
        service: what the spans are of, unless OTEL_SERVICE_NAME says so.
    Raises:
        SettingsError: the `tracing` extra is not installed.
    """
    if settings.tracing == "off":
        return NoTracing()
    check_tracing(settings)
    from pipeline.telemetry.opentelemetry_spans import OtelTracing, otlp_provider

    return OtelTracing(otlp_provider(service))


def trace_publishing(settings: Settings) -> bool:
    """Prepare for Google's Pub/Sub client to make spans of what it publishes; True if it is to.

    It takes the process's global provider: this is for a producer's process, which has no other.

    Raises:
        SettingsError: the `tracing` extra is not installed.
    """
    if settings.tracing == "off":
        return False
    check_tracing(settings)
    from opentelemetry import trace

    from pipeline.telemetry.opentelemetry_spans import otlp_provider

    trace.set_tracer_provider(otlp_provider("diptych-producer"))
    return True


def check_tracing(settings: Settings) -> None:
    """Raise SettingsError if the settings ask for what is not installed. Imports nothing."""
    needed = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
    if settings.tracing != "off" and not all(map(_installed, needed)):
        raise SettingsError(
            f"DIPTYCH_TRACING={settings.tracing} needs OpenTelemetry: `pip install -e '.[tracing]'` in the"
            " checkout"
        )


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
