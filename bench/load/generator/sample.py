"""One request, as the raw file keeps it. Times are seconds; points in time count from the run's start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from bench.runs.rows import RawRow

Phase = Literal["cold", "warm-up", "measured"]
Outcome = Literal["ok", "shed", "error"]
SHED: Final = (429, 503)


@dataclass(frozen=True, slots=True)
class Sample(RawRow):
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


def outcome_of(status: int) -> Outcome:
    """What a status means here."""
    if 200 <= status < 300:
        return "ok"
    return "shed" if status in SHED else "error"
