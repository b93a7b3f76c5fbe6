"""The task message: schema, limits, and the two ways between it and bytes.

Everything is validated here, once, at the edge; inside, a frozen `TaskMessage` travels.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import AwareDatetime, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from pipeline.errors import MessageError
from results.documents import (
    Digest,
    Document,
    Name,
    Params,
    Precision,
    Publication,
    Seed,
    TaskIndex,
)
from results.naming import MAX_INDEX
from results.targets import TARGETS, Target

MAX_MESSAGE_BYTES: Final = 8 * 1024
MAX_IMAGES_PER_TASK: Final = 256
SCHEMA: Final = "diptych.task/1"


class TaskMessage(Document):
    """One task: a contiguous run of image indices of one job, for one or more targets."""

    schema_: Literal["diptych.task/1"] = Field(SCHEMA, alias="schema")
    job_id: Name
    publication: Publication
    publication_started_at: AwareDatetime
    task_index: TaskIndex
    first_index: int = Field(ge=0, le=MAX_INDEX)
    image_count: int = Field(ge=1, le=MAX_IMAGES_PER_TASK)
    model: Name
    model_digest: Digest
    seed: Seed
    params: Params = Field(default_factory=dict)
    precision: Precision = "auto"
    targets: tuple[Target, ...] = Field(min_length=1, max_length=len(TARGETS))
    submitted_at: AwareDatetime

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        strict=False,
        allow_inf_nan=False,
        populate_by_name=True,
        serialize_by_alias=True,
    )

    @model_validator(mode="after")
    def _last_index_fits(self) -> TaskMessage:
        if self.first_index + self.image_count - 1 > MAX_INDEX:
            raise ValueError(f"last index is beyond {MAX_INDEX}")
        return self

    @property
    def indices(self) -> range:
        """The image indices of this task."""
        return range(self.first_index, self.first_index + self.image_count)

    def attributes(self) -> dict[str, str]:
        """Pub/Sub attributes, for subscription filters: schema, job and one key per target."""
        marks = {f"target_{target}": "1" for target in self.targets}
        return {"schema": SCHEMA, "job_id": self.job_id, **marks}

    def encode(self) -> bytes:
        """Serialise. Raises MessageError if the result is over MAX_MESSAGE_BYTES (long params)."""
        data = self.model_dump_json().encode()
        if len(data) > MAX_MESSAGE_BYTES:
            raise MessageError(
                f"the message is {len(data)} bytes, over the limit of {MAX_MESSAGE_BYTES}: shorten the params"
            )
        return data


def decode_task(data: bytes) -> TaskMessage:
    """Parse and validate `message.data`, already base64-decoded.

    Raises:
        MessageError: oversize, not JSON, too deep, unknown schema, or a value outside its limits.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise MessageError(f"the message is {len(data)} bytes, over the limit of {MAX_MESSAGE_BYTES}")
    try:
        parsed: Any = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise MessageError(f"the message is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise MessageError("the message is not a JSON object")
    schema = parsed.get("schema")
    if schema != SCHEMA:
        raise MessageError(f"unknown schema {str(schema)[:60]!r}: this worker reads {SCHEMA!r}")
    try:
        return TaskMessage.model_validate(parsed)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise MessageError(f"bad {where}: {first['msg']}") from error
