"""The metadata of one image: which columns there are, of what type, and where each comes from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from results.record import ImageEntry
from results.records import StoredRecord, is_cold, latency_s, round_trip_s

Kind = Literal["text", "int", "float", "bool", "time"]
Value = str | int | float | bool | datetime | None
Row = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        name: with its unit; what starts with `task_` is of the task that generated the image.
        kind: its type.
        says: what it holds, in words.
        of: takes it from a record and one of its entries.
    """

    name: str
    kind: Kind
    says: str
    of: Callable[[StoredRecord, ImageEntry], Value]


COLUMNS: Final = (
    Column("job_id", "text", "the job", lambda s, _: s.record.job_id),
    Column("target", "text", "who generated it: container, function or celery", lambda s, _: s.record.target),
    Column("index", "int", "the image's index in the job", lambda _, e: e.index),
    Column("model", "text", "registered name of the model", lambda s, _: s.record.model),
    Column("model_digest", "text", "sha256:… of its checkpoint", lambda s, _: s.record.model_digest),
    Column("job_seed", "int", "the job's seed", lambda s, _: s.record.seed),
    Column("image_seed", "int", "the image's own seed", lambda _, e: e.seed),
    Column(
        "params",
        "text",
        "the family's params as a JSON object",
        lambda s, _: json.dumps(s.record.params, ensure_ascii=False, sort_keys=True),
    ),
    Column("engine", "text", "what ran the model", lambda s, e: e.engine or s.record.engine),
    Column(
        "engine_version",
        "text",
        "its version; empty for an image that an earlier delivery had stored",
        lambda s, e: "" if e.found else s.record.engine_version,
    ),
    Column("precision", "text", "what it ran in", lambda s, e: e.precision or s.record.precision),
    Column("isa", "text", "instruction set of the task's CPU", lambda s, _: s.record.isa),
    Column("bytes", "int", "size of the PNG", lambda _, e: e.bytes),
    Column("sha256", "text", "of the PNG, in hex", lambda _, e: e.sha256),
    Column("pixel_sha256", "text", "of its RGB bytes, in hex", lambda _, e: e.pixel_sha256),
    Column("found", "bool", "an earlier delivery had stored it", lambda _, e: e.found),
    Column("task_index", "int", "the task", lambda s, _: s.record.task_index),
    Column("task_image_count", "int", "images of the task", lambda s, _: s.record.image_count),
    Column(
        "task_cold_start",
        "bool",
        "the first task that its instance generated",
        lambda s, _: is_cold(s.record),
    ),
    Column("task_instance_id", "text", "the instance", lambda s, _: s.record.instance_id),
    Column("task_worker_revision", "text", "its revision", lambda s, _: s.record.worker_revision),
    Column(
        "task_submitted_at", "time", "when the job was submitted, UTC", lambda s, _: s.record.submitted_at
    ),
    Column("task_received_at", "time", "when the task arrived, UTC", lambda s, _: s.record.received_at),
    Column("task_recorded_at", "time", "the store's time of its record, UTC", lambda s, _: s.created_at),
    Column(
        "task_round_trip_s",
        "float",
        "from the publication's start to the record's creation",
        lambda s, _: round_trip_s(s.record, s.created_at),
    ),
    Column("task_process_s", "float", "handler entry to last byte stored", lambda s, _: s.record.process_s),
    Column(
        "task_latency_s",
        "float",
        "round trip minus process time",
        lambda s, _: latency_s(s.record, s.created_at),
    ),
    Column("task_model_load_s", "float", "loading the model", lambda s, _: s.record.model_load_s),
    Column("task_generate_s", "float", "generating", lambda s, _: s.record.generate_s),
    Column("task_encode_s", "float", "encoding, threads added up", lambda s, _: s.record.encode_s),
    Column("task_store_s", "float", "storing, threads added up", lambda s, _: s.record.store_s),
    Column("task_cpu_user_s", "float", "CPU time, user", lambda s, _: s.record.cpu_user_s),
    Column("task_cpu_system_s", "float", "CPU time, system", lambda s, _: s.record.cpu_system_s),
    Column("task_rss_peak_bytes", "int", "peak memory", lambda s, _: s.record.rss_peak_bytes),
)


def row_of(stored: StoredRecord, entry: ImageEntry) -> Row:
    """The metadata of one image, by column."""
    return {column.name: column.of(stored, entry) for column in COLUMNS}


def plain(value: Value) -> str | int | float | bool | None:
    """A value as JSON and CSV carry it: stamps as RFC 3339 text, in UTC, with microseconds."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return value
