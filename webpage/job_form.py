"""What the form sends."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import RequestError
from results.documents import Params, Precision
from results.targets import DEFAULT_TARGETS, Target


class JobForm(BaseModel):
    """What the form sends. The producer checks what the numbers mean; here, that they are numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int = Field(strict=True)
    model: str = Field(max_length=100)
    # As text: beyond 2**53 JavaScript's numbers are not whole.
    seed: str | None = Field(None, pattern=r"^[0-9]{1,19}$")
    targets: tuple[Target, ...] = DEFAULT_TARGETS
    precision: Precision = "auto"
    images_per_task: int | None = Field(None, strict=True)
    params: Params = Field(default_factory=dict, max_length=32)
    job_id: str | None = Field(None, max_length=100)


def parse_job_form(data: bytes) -> JobForm:
    """Read a form from JSON. Raises RequestError, which names the field."""
    try:
        return JobForm.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "request"
        raise RequestError(f"{field}: {first['msg']}") from error
