"""One cold start, as the raw file keeps it. Seconds; points in time count from the process's start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any, Final


@dataclass(slots=True)
class ColdStart:
    """One start of a target. What it did not come to is None.

    Args:
        repeat: from 0.
        position: in its repeat, from 0: the order alternates.
        target: who.
        outcome: ok: an image and its record are stored; error.
        interpreter_s: a bare `python` of the same environment, from its start to its first line, measured
            on its own just before.
        listen_s: when the server took connections.
        first_response_s: when it had answered a request: the container's health, a GET of the function.
        sent_s: when the first task was pushed.
        received_s: when the worker's handler had it.
        png_s: when the first image was stored, by the store's clock.
        record_s: when its record was.
        response_s: when the push was answered.
        model_load_s: how long loading the model took, as the record tells. The next four likewise.
        generate_s: the first inference.
        encode_s: PNG.
        store_s: writing it.
        process_s: all of the handler's work.
        status: of the push's answer.
        error: why there is none.
    """

    repeat: int
    position: int
    target: str
    outcome: str = "error"
    interpreter_s: float | None = None
    listen_s: float | None = None
    first_response_s: float | None = None
    sent_s: float | None = None
    received_s: float | None = None
    png_s: float | None = None
    record_s: float | None = None
    response_s: float | None = None
    model_load_s: float | None = None
    generate_s: float | None = None
    encode_s: float | None = None
    store_s: float | None = None
    process_s: float | None = None
    status: int = 0
    error: str = ""

    def row(self) -> tuple[str | int | float | None, ...]:
        """Its cells, in the order of COLUMNS."""
        return astuple(self)


COLUMNS: Final = tuple(field.name for field in fields(ColdStart))
_TEXTS: Final = frozenset(("target", "outcome", "error"))
_NUMBERS: Final = frozenset(("repeat", "position", "status"))


def cold_start_of(row: Mapping[str, str]) -> ColdStart:
    """Read a row of the raw file.

    Raises:
        KeyError, ValueError: it is none of a cold run's.
    """
    values: dict[str, Any] = {}
    for name in COLUMNS:
        cell = row[name]
        values[name] = (
            cell if name in _TEXTS else int(cell) if name in _NUMBERS else float(cell) if cell else None
        )
    return ColdStart(**values)
