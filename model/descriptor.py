"""Descriptors: models of other families, each described by a small JSON file.

`<name>.model.json` holds the model's family, the location of its files and their hashes. The model's digest
covers the contents and not the location, so that equal files have equal digests on every machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.checkpoint import open_file, write_atomically
from model.errors import CheckpointError, DigestError

SCHEMA: Final = "diptych.model/1"
SUFFIX: Final = ".model.json"
MAX_BYTES: Final = 4 << 20
MIN_RESOLUTION: Final = 4
MAX_RESOLUTION: Final = 4096

Family = Literal["diffusers", "onnx", "python"]
OptionValue = str | int | float | bool
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Descriptor(BaseModel):
    """The descriptor that `diptych model add` writes.

    Args:
        family: model family.
        source: an absolute path; on the hub "owner/name@commit"; for python "package.module:factory".
        local: whether `source` is a path, whose files are those of `files`.
        resolution: the longer side of an image in pixels.
        takes: params that a job may set; None: any.
        options: set by the operator or detected by `add`; pixels may depend on them.
        files: SHA-256 (hex) of every file, by its path below `source` (by its name, if `source` is a file).
        parameters: number of weights; 0 if unknown.
        licence: licence of the weights.
        training_data: description of the training data.
        seconds_per_image: nominal time of one image, in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)

    schema_version: Literal["diptych.model/1"] = Field(default=SCHEMA, alias="schema")
    family: Family
    source: str = Field(min_length=1, max_length=4096)
    local: bool
    resolution: int = Field(ge=MIN_RESOLUTION, le=MAX_RESOLUTION)
    takes: tuple[str, ...] | None = None
    options: dict[str, OptionValue] = Field(default_factory=dict)
    files: dict[str, Sha256] = Field(default_factory=dict)
    parameters: int = Field(default=0, ge=0, le=10**15)
    licence: str = Field(default="unknown", min_length=1, max_length=200)
    training_data: str = Field(default="", max_length=2000)
    seconds_per_image: float = Field(default=1.0, gt=0, le=3600)

    @model_validator(mode="after")
    def _is_pinned(self) -> Self:
        if (self.local or self.family == "python") and not self.files:
            raise ValueError("no files are pinned")
        return self

    @property
    def digest(self) -> str:
        """ "sha256:<hex>" of everything that the pixels depend on."""
        pinned = {
            "schema": SCHEMA,
            "family": self.family,
            "source": "" if self.local else self.source,
            "resolution": self.resolution,
            "options": self.options,
            "files": self.files,
        }
        canonical = json.dumps(pinned, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def read_descriptor(path: Path) -> Descriptor:
    """Read and validate a descriptor, without reading the files that it names.

    Raises:
        CheckpointError: missing, not JSON, another schema, or a value out of range.
    """
    with open_file(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise CheckpointError(f"{path.name}: more than {MAX_BYTES >> 20} MiB: not a descriptor")
    try:
        return Descriptor.model_validate_json(content)
    except ValidationError as error:
        raise CheckpointError(f"{path.name}: not a valid descriptor: {first_problem(error)}") from None


def write_descriptor(path: Path, descriptor: Descriptor) -> None:
    """Write a descriptor, atomically. Raises CheckpointError if it cannot be written."""
    document: dict[str, Any] = descriptor.model_dump(mode="json", by_alias=True)
    write_atomically(path, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")


def check_pins(current: Mapping[str, str], pinned: Mapping[str, str], where: str) -> None:
    """Compare a model's files with those that were pinned when it was added.

    Args:
        current: SHA-256 (hex) by relative path, now.
        pinned: the same, from the descriptor.
        where: location of the files, for the message.
    Raises:
        DigestError: a file was changed, removed or added; the message names the first.
    """
    for name in sorted(current.keys() | pinned.keys()):
        if current.get(name) == pinned.get(name):
            continue
        what = "is missing" if name not in current else "is new" if name not in pinned else "has changed"
        raise DigestError(
            f"{where}: {name} {what} since the model was added: restore it, or remove and add the model and"
            " make the same request with that: `diptych submit --like JOB`"
        )


def first_problem(error: ValidationError) -> str:
    """The first validation error, on one line."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
