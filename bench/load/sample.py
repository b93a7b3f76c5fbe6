"""One request, as the raw file keeps it. Times are seconds; points in time count from the run's start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any, Final, Literal

Phase = Literal["cold", "warm-up", "measured"]
Outcome = Literal["ok", "shed", "error"]
SHED: Final = (429, 503)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request.

    Args:
        target: who was asked.
        phase: what it counts for, by the time that it was scheduled for.
        task: number of the task.
        attempt: from 1; more after the target asked to come back.
        scheduled_s: when the task was due at first.
        due_s: when this attempt was.
        sent_s: when it was handed to libcurl.
        lag_s: delay that the generator itself is to blame for: how late it sent, or how long the answer may
            have lain there while it did something else, or nothing; the larger of both.
        response_s: from sending to the last byte.
        first_byte_s: to the first byte of the answer; None if there was none.
        dns_s: name look-up; None on a reused connection. The next two likewise.
        connect_s: TCP handshake, after the look-up.
        tls_s: TLS handshake; None without TLS.
        new_connection: 1 if one was opened.
        status: HTTP status, 0 if there was none.
        outcome: ok (2xx), shed (429, 503), error.
        retry_after_s: what the answer asked to wait.
        bytes: of the answer's body.
        error: libcurl's words.
    """

    target: str
    phase: Phase
    task: int
    attempt: int
    scheduled_s: float
    due_s: float
    sent_s: float
    lag_s: float
    response_s: float
    first_byte_s: float | None
    dns_s: float | None
    connect_s: float | None
    tls_s: float | None
    new_connection: int
    status: int
    outcome: Outcome
    retry_after_s: float | None
    bytes: int
    error: str

    @property
    def ended_s(self) -> float:
        """When the last byte was there."""
        return self.sent_s + self.response_s

    @property
    def connecting_s(self) -> float:
        """Look-up and handshakes together, as JMeter's Connect; 0 on a reused connection."""
        return sum(part or 0.0 for part in (self.dns_s, self.connect_s, self.tls_s))

    def row(self) -> tuple[str | int | float | None, ...]:
        """Its cells, in the order of COLUMNS."""
        return astuple(self)


COLUMNS: Final = tuple(field.name for field in fields(Sample))
_TEXTS: Final = frozenset(("target", "phase", "outcome", "error"))
_NUMBERS: Final = frozenset(("task", "attempt", "new_connection", "status", "bytes"))


def sample_of(row: Mapping[str, str]) -> Sample:
    """Read a row of the raw file.

    Raises:
        KeyError, ValueError: it is none of a load run's.
    """
    values: dict[str, Any] = {name: _value(name, row[name]) for name in COLUMNS}
    return Sample(**values)


def outcome_of(status: int) -> Outcome:
    """What a status means here."""
    if 200 <= status < 300:
        return "ok"
    return "shed" if status in SHED else "error"


def _value(name: str, cell: str) -> object:
    if name in _TEXTS:
        return cell
    if name in _NUMBERS:
        return int(cell)
    return float(cell) if cell else None
