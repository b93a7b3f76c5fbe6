"""The metrics of a task: names, labels, units and definitions, and how each comes out of a record.

This table is the only list of them: JSON, terminal tables, the report with its plots and the page follow it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from results.record import Record
from results.records import StoredRecord, cpu_s_per_image, latency_s, process_without_load_s, round_trip_s


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured of a task, and how it is shown. Less of it is better.

    Args:
        name: in JSON; ends with its unit where that is not clear.
        label: in words.
        unit: "s", "bytes", or what is to be written after the value.
        meaning: its definition, in a sentence.
        of: computes it; None where a record has no such value.
        part_of: name of the metric that it is a part of, and shown below; empty if it stands alone.
        cold_only: warm tasks have none of it, or do not differ in it.
        is_ratio: targets are compared by it: it has ratios, percentiles and plots.
        lower_is: what a verdict calls the target that needs less.
    """

    name: str
    label: str
    unit: str
    meaning: str
    of: Callable[[StoredRecord], float | None]
    part_of: str = ""
    cold_only: bool = False
    is_ratio: bool = False
    lower_is: str = "faster"

    @property
    def short_label(self) -> str:
        """The label without the words of the metric that it is a part of."""
        return self.label.removeprefix(f"{metric(self.part_of).label} ") if self.part_of else self.label

    def described(self) -> dict[str, str | bool]:
        """Everything but the function, ready for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "of"}


def _queue_s(stored: StoredRecord) -> float:
    return (stored.record.received_at - stored.record.publication_started_at).total_seconds()


def _commit_s(stored: StoredRecord) -> float:
    return latency_s(stored.record, stored.created_at) - _queue_s(stored)


METRICS: Final = (
    Metric(
        "round_trip_s",
        "round trip",
        "s",
        "From the start of the publication to the store's own creation time of the record.",
        lambda stored: round_trip_s(stored.record, stored.created_at),
        is_ratio=True,
    ),
    Metric(
        "round_trip_without_load_s",
        "round trip without load",
        "s",
        "Round trip minus loading the model.",
        lambda stored: round_trip_s(stored.record, stored.created_at) - stored.record.model_load_s,
        part_of="round_trip_s",
        cold_only=True,
        is_ratio=True,
    ),
    Metric(
        "process_s",
        "process time",
        "s",
        "From the handler's entry to the last byte stored, on the worker's monotonic clock.",
        lambda stored: stored.record.process_s,
        is_ratio=True,
    ),
    Metric(
        "process_without_load_s",
        "process time without load",
        "s",
        "Process time minus loading the model.",
        lambda stored: process_without_load_s(stored.record),
        part_of="process_s",
        cold_only=True,
        is_ratio=True,
    ),
    Metric(
        "model_load_s",
        "load",
        "s",
        "The part of the process time that loads the model.",
        lambda stored: stored.record.model_load_s,
        part_of="process_s",
        cold_only=True,
    ),
    Metric(
        "generate_s",
        "generate",
        "s",
        "The part of the process time that runs the model.",
        lambda stored: stored.record.generate_s,
        part_of="process_s",
    ),
    Metric(
        "encode_s",
        "encode",
        "s",
        "Encoding PNGs, in other threads beside generation: summed over them, so that the parts of the"
        " process time can add up to more than the whole.",
        lambda stored: stored.record.encode_s,
        part_of="process_s",
    ),
    Metric(
        "store_s",
        "store",
        "s",
        "Storing images, in other threads beside generation: summed over them, like encoding.",
        lambda stored: stored.record.store_s,
        part_of="process_s",
    ),
    Metric(
        "latency_s",
        "latency",
        "s",
        "Round trip minus process time: queueing, delivery, start-up, visibility.",
        lambda stored: latency_s(stored.record, stored.created_at),
        is_ratio=True,
    ),
    Metric(
        "queue_s",
        "queue",
        "s",
        "From the start of the publication to the handler's entry: the waiting part of the latency.",
        _queue_s,
        part_of="latency_s",
    ),
    Metric(
        "commit_s",
        "commit",
        "s",
        "The rest of the latency: from the last byte stored to the record's creation.",
        _commit_s,
        part_of="latency_s",
    ),
    Metric(
        "cpu_s_per_image",
        "CPU per image",
        "s",
        "CPU seconds, user and system, of a task over the images that it generated.",
        lambda stored: cpu_s_per_image(stored.record),
        is_ratio=True,
        lower_is="uses less",
    ),
    Metric(
        "rss_peak_bytes",
        "peak memory",
        "bytes",
        "The highest resident memory of the process, sampled during the task.",
        lambda stored: stored.record.rss_peak_bytes,
    ),
)
"""In the order in which they are shown."""

CONDITIONS: Final = (
    *("engine", "engine_version", "precision", "isa", "cpu_model", "threads", "batch_size", "preloaded"),
    *("worker_revision", "model_digest"),
)
"""What should be equal on all targets: else the figures may reflect these."""


def metric(name: str) -> Metric:
    """The metric of a name. Raises KeyError if there is none."""
    return {known.name: known for known in METRICS}[name]


def ratio_metrics(*, cold: bool) -> tuple[Metric, ...]:
    """What targets are compared by: cold tasks also with and without the model's load."""
    return tuple(known for known in METRICS if known.is_ratio and (cold or not known.cold_only))


def condition(record: Record, name: str) -> str:
    """A condition in words."""
    return str(getattr(record, name))


def unix_s(moment: datetime) -> float:
    """Seconds since 1970, UTC."""
    return moment.timestamp()
