"""The JSON documents of a job, other than its records: manifest, markers, failures.

All are frozen pydantic models. Stamps are UTC with microseconds. Unknown fields are ignored, an unknown
major schema is refused. `dump` and `load` are the only way in and out of bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from results.errors import DocumentError, ObjectExists
from results.naming import DIGEST_PATTERN, MAX_INDEX, MAX_PUBLICATION, MAX_TASK, NAME_PATTERN
from results.targets import TARGETS, Target

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from results.stores.base import Store

Precision = Literal["auto", "fp32", "bf16", "int8"]
Name = Annotated[str, Field(pattern=rf"^{NAME_PATTERN}$", max_length=63)]
Digest = Annotated[str, Field(pattern=rf"^{DIGEST_PATTERN}$")]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
TaskIndex = Annotated[int, Field(ge=0, le=MAX_TASK)]
Publication = Annotated[int, Field(ge=0, le=MAX_PUBLICATION)]
ParamValue = str | int | float | bool | None
Params = dict[Annotated[str, Field(max_length=64)], ParamValue]

JSON_TYPE = "application/json"


class Document(BaseModel):
    """Base of every stored JSON document."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
        populate_by_name=True,
        serialize_by_alias=True,
    )


DocumentT = TypeVar("DocumentT", bound=Document)


def dump(document: Document) -> bytes:
    """Serialise a document: compact UTF-8 JSON, one line, a newline at the end."""
    return document.model_dump_json().encode() + b"\n"


def create_once(store: Store, name: str, document: Document) -> bool:
    """Store a document; False if there is one of that name, which stays as it is. Raises StoreError."""
    try:
        store.create(name, dump(document), JSON_TYPE)
    except ObjectExists:
        return False
    return True


def load(kind: type[DocumentT], data: bytes, name: str) -> DocumentT:
    """Parse a stored document.

    Args:
        kind: the class expected.
        data: what the store holds.
        name: its object name, for the error message.
    Raises:
        DocumentError: not JSON, not of this kind, or of an unknown schema.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise DocumentError(f"{name} cannot be read: {_trouble(error.errors()[0])}") from error


def _trouble(first: ErrorDetails) -> str:
    """What is wrong with a document, and what may have happened to it."""
    if first["type"] == "json_invalid":
        return f"it is cut off or no JSON ({first['ctx']['error']})"
    where = ".".join(str(part) for part in first["loc"]) or "document"
    if where == "schema" and first["type"] == "literal_error":
        seen = repr(first["input"])[:60]
        return f"schema is {seen}, not {first['ctx']['expected']}: if it is a newer one, update Diptych"
    return f"{where}: {first['msg']}; it was damaged or edited"


class Manifest(Document):
    """`job.json`: what the user asked for and how it was cut into tasks. Immutable once written.

    Task t covers the indices [t * images_per_task, min((t + 1) * images_per_task, count)).
    """

    schema_: Literal["diptych.job/1"] = Field("diptych.job/1", alias="schema")
    job_id: Name
    model: Name
    model_digest: Digest
    resolution: int = Field(ge=4, le=4096)
    count: int = Field(ge=1, le=MAX_INDEX + 1)
    seed: Seed
    params: Params = Field(default_factory=dict)
    precision: Precision = "auto"
    targets: tuple[Target, ...] = Field(min_length=1, max_length=len(TARGETS))
    images_per_task: int = Field(ge=1, le=256)
    submitted_at: AwareDatetime
    submitted_with: str = ""

    @property
    def task_count(self) -> int:
        """Number of tasks, per target."""
        return -(-self.count // self.images_per_task)

    def task_range(self, task_index: int) -> range:
        """The image indices of one task."""
        first = task_index * self.images_per_task
        return range(first, min(first + self.images_per_task, self.count))

    def request(self) -> dict[str, Any]:
        """What makes two submissions the same request: all but names, stamps and the cut into tasks."""
        return self.model_dump(
            mode="json",
            include={"model", "model_digest", "count", "seed", "params", "precision", "targets"},
        )


class PublishedChunk(Document):
    """`published/…`: tasks first_task..last_task of one publication were acknowledged by the broker."""

    publication: Publication
    first_task: TaskIndex
    last_task: TaskIndex
    targets: tuple[Target, ...]
    publication_started_at: AwareDatetime
    published_at: AwareDatetime


class Cancellation(Document):
    """`cancelled.json`: the job is over; what is in flight may still commit."""

    cancelled_at: AwareDatetime


class WorkMeter(Document):
    """What a delivery cost, on success and on failure."""

    process_s: float = Field(ge=0)
    cpu_user_s: float = Field(ge=0)
    cpu_system_s: float = Field(ge=0)
    images_painted: int = Field(ge=0)
    images_found: int = Field(ge=0)


class Failure(WorkMeter):
    """`failures/…`: a permanent error, recorded and acknowledged."""

    job_id: Name
    task_index: TaskIndex
    publication: Publication
    target: Target
    delivery_id: str
    delivery_attempt: int | None = None
    message_id: str
    instance_id: str
    error: str
    detail: str
    received_at: AwareDatetime
    failed_at: AwareDatetime


class DeadLetter(Document):
    """`deadletters/…`: a task that ran out of delivery attempts."""

    job_id: Name
    task_index: TaskIndex
    publication: Publication
    target: Target
    message_id: str
    attempts: int = Field(ge=0)
    last_error: str
    dead_at: AwareDatetime
    message: dict[str, Any] = Field(default_factory=dict)


class Duplicate(WorkMeter):
    """`duplicates/…`: work that another delivery had already committed."""

    job_id: Name
    task_index: TaskIndex
    target: Target
    delivery_id: str
    message_id: str
    instance_id: str
    duplicate_at: AwareDatetime


class Rejection(Document):
    """`rejected/…`: what could not be decoded."""

    received_at: AwareDatetime
    target: str
    message_id: str
    error: str
    detail: str
    body_bytes: int
    body_text: str = ""
