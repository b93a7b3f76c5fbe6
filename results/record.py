"""The record: timing and provenance of one task on one target. Writing it commits the task.

Names carry their units, derived values (round trip, latency) are computed by readers and never stored.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from results.documents import (
    Digest,
    Document,
    Name,
    Params,
    Publication,
    Seed,
    TaskIndex,
    WorkMeter,
)
from results.targets import Target


class ImageEntry(Document):
    """One stored PNG.

    `found`: an earlier delivery had stored it; the rest is then the stored one's. `flagged`: it is black,
    since the model's safety checker flagged what was generated.
    """

    index: int = Field(ge=0)
    seed: Seed
    sha256: str
    pixel_sha256: str
    bytes: int = Field(ge=1)
    found: bool = False
    flagged: bool = False
    engine: str = ""
    precision: str = ""


class Record(WorkMeter):
    """`records/…`: one flat JSON object. Wall-clock stamps are UTC; durations come from a monotonic clock."""

    schema_: Literal["diptych.record/1"] = Field("diptych.record/1", alias="schema")
    job_id: Name
    task_index: TaskIndex
    publication: Publication
    target: Target

    submitted_at: AwareDatetime
    publication_started_at: AwareDatetime
    published_at: AwareDatetime | None = None
    received_at: AwareDatetime
    finished_at: AwareDatetime
    instance_started_at: AwareDatetime

    model_load_s: float = Field(ge=0)
    generate_s: float = Field(ge=0)
    encode_s: float = Field(ge=0)
    store_s: float = Field(ge=0)
    rss_peak_bytes: int = Field(ge=0)

    cold_start: bool
    prior_requests: int = Field(ge=0)
    preloaded: bool
    instance_id: str
    delivery_id: str
    delivery_attempt: int | None = None
    message_id: str
    worker_revision: str

    engine: str
    engine_version: str
    precision: str
    cpu_model: str
    isa: str
    threads: int = Field(ge=1)
    batch_size: int = Field(ge=1)

    model: Name
    model_digest: Digest
    seed: Seed
    params: Params = Field(default_factory=dict)
    image_count: int = Field(ge=1)
    images: tuple[ImageEntry, ...]
