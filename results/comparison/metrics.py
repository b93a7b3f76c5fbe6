"""The quantities of a comparison: what each is called, and how it comes out of a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from results.record import Record
from results.records import StoredRecord, cpu_s_per_image, latency_s, process_without_load_s, round_trip_s


def _queue_s(stored: StoredRecord) -> float:
    return (stored.record.received_at - stored.record.publication_started_at).total_seconds()


def _commit_s(stored: StoredRecord) -> float:
    """From the last byte stored to the record's creation: what of the latency comes after the work."""
    return latency_s(stored.record, stored.created_at) - _queue_s(stored)


def _round_trip_without_load_s(stored: StoredRecord) -> float:
    return round_trip_s(stored.record, stored.created_at) - stored.record.model_load_s


QUANTITIES: Final[Mapping[str, Callable[[StoredRecord], float | None]]] = {
    "round_trip_s": lambda stored: round_trip_s(stored.record, stored.created_at),
    "round_trip_without_load_s": _round_trip_without_load_s,
    "latency_s": lambda stored: latency_s(stored.record, stored.created_at),
    "queue_s": _queue_s,
    "commit_s": _commit_s,
    "process_s": lambda stored: stored.record.process_s,
    "process_without_load_s": lambda stored: process_without_load_s(stored.record),
    "model_load_s": lambda stored: stored.record.model_load_s,
    "generate_s": lambda stored: stored.record.generate_s,
    "encode_s": lambda stored: stored.record.encode_s,
    "store_s": lambda stored: stored.record.store_s,
    "cpu_s_per_image": lambda stored: cpu_s_per_image(stored.record),
    "rss_peak_bytes": lambda stored: float(stored.record.rss_peak_bytes),
}
"""In the order of columns. None where a record has no such value."""

RATIOS: Final = ("round_trip_s", "process_s", "latency_s", "cpu_s_per_image")
"""What targets are compared in, cold or warm."""
COLD_RATIOS: Final = (
    *("round_trip_s", "round_trip_without_load_s", "process_s", "process_without_load_s"),
    *("latency_s", "cpu_s_per_image"),
)
"""The same for cold tasks: with and without the model's load."""

CONDITIONS: Final = (
    *("engine", "engine_version", "precision", "isa", "cpu_model", "threads", "batch_size", "preloaded"),
    *("worker_revision", "model_digest"),
)
"""What should be equal on all targets: else the figures may tell of these."""


def condition(record: Record, name: str) -> str:
    """A condition in words."""
    return str(getattr(record, name))


def unix_s(moment: datetime) -> float:
    """Seconds since 1970, UTC."""
    return moment.timestamp()
