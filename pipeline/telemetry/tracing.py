"""Opens what the settings ask for: nothing, or OpenTelemetry, which is imported only then.

The trace that the publisher began goes on in the worker: its context travels in the message
(`googclient_traceparent`).
"""

from __future__ import annotations

from importlib.util import find_spec

from pipeline.config.settings import Settings
from pipeline.errors import SettingsError
from pipeline.telemetry.spans import NoTracing, Tracing


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
