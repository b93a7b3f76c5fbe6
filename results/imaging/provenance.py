"""Where a picture's pixels come from: what a PNG carries, and what decides whether two are the same."""

from __future__ import annotations

import json
from typing import Final

from pydantic import Field, ValidationError

from results.documents import Digest, Document, Name, Params, Seed
from results.errors import ImageError
from results.naming import MAX_INDEX

MAX_TEXT_BYTES: Final = 64 * 1024


class Provenance(Document):
    """All that the pixels depend on: the first four decide the picture, the last three its last bits.

    Args:
        model: registered name, for people; the digest is what counts.
        model_digest: "sha256:<hex>" of the checkpoint.
        seed: the job's seed, in [0, 2**63).
        index: the image's index in the job.
        params: the family's parameters.
        engine: "openvino", "torch", …
        precision: what it ran in: "fp32", "bf16", "int8".
        isa: instruction set of the CPU, e.g. "avx512_core_bf16".
        flagged: the model's safety checker put a black image here; written only where it is true.
    """

    model: Name
    model_digest: Digest
    seed: Seed
    index: int = Field(ge=0, le=MAX_INDEX)
    params: Params = Field(default_factory=dict)
    engine: str = Field(max_length=64)
    precision: str = Field(max_length=16)
    isa: str = Field(max_length=64)
    flagged: bool = False

    def to_text(self) -> str:
        """Compact JSON with sorted keys: equal provenance gives equal text."""
        return _canonical(self.model_dump(mode="json", exclude=None if self.flagged else {"flagged"}))

    @classmethod
    def from_text(cls, text: str) -> Provenance:
        """Parse what `to_text` made. Raises ImageError."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "text"
            raise ImageError(f"bad provenance: {where}: {first['msg']}") from error

    def difference(self, other: Provenance) -> str:
        """Say in what the two are not the same picture; "" if they are."""
        mine, others = self._picture(), other._picture()
        parts = [f"{key} {mine[key]} / {others[key]}" for key in mine if mine[key] != others[key]]
        return ", ".join(parts)

    def _picture(self) -> dict[str, str]:
        # As text, so that params 1, 1.0 and true, which Python takes for equal, stay apart.
        return {
            "model digest": self.model_digest,
            "seed": str(self.seed),
            "index": str(self.index),
            "params": _canonical(self.params),
        }


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
