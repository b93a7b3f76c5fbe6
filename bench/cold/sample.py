"""One cold start, as the raw file keeps it: a process on this machine, or a request at a deployed service.

Seconds. Points in time of a process count from its start, those of a request from its sending.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from bench.runs.rows import RawRow
from results.record import Record

Asked = Literal["burst", "after"]
Phase = Literal["cold", "ready", "warm", "unknown"]
READY_S: Final = 10.0
"""A process that began so long before the request was not begun for it; clocks differ by less."""


@dataclass(slots=True)
class ColdStart(RawRow):
    """One start of a target. What it did not come to, and what only the other kind of run measures, is None.

    Args:
        repeat: from 0.
        position: of the target in its repeat, from 0: the order alternates.
        target: who.
        asked: in a burst, which makes instances start, or alone after it, for a warm one to compare with.
        task: number.
        phase: cold: the first task of a process that was begun for it; ready: the first task of one that
            stood ready (min-instances, or started for another request); warm; unknown: there is no record.
        outcome: ok: answered, and the image's record is stored; error.
        interpreter_s: a bare `python` of the same environment, from its start to its first line, measured
            on its own just before.
        listen_s: when the server took connections.
        first_response_s: when it had answered a request: the container's health, a GET of the function.
        sent_s: when the task was pushed; of a deployed service since the run's start.
        status: HTTP; 0: no answer.
        received_s: when the worker's handler had it.
        png_s: when the first image was stored, by the store's clock.
        response_s: when the push was answered, to the last byte.
        first_byte_s: to the first.
        connect_s: of a new connection, TCP and TLS.
        began_s: from sending until the process began. By two clocks: as good as their agreement; so is
            record_s.
        startup_s: from the process's begin to the handler's, by the instance's clock.
        model_load_s: how long loading the model took, by the record. The next four likewise.
        generate_s: the first inference.
        encode_s: PNG.
        store_s: writing it.
        process_s: all of the handler's work.
        record_s: when the record was in the store.
        prior_requests: of the process.
        instance: the process.
        revision: what is deployed.
        error: why there is none.
    """

    repeat: int
    position: int
    target: str
    asked: Asked = "burst"
    task: int = 0
    phase: Phase = "unknown"
    outcome: Literal["ok", "error"] = "error"
    interpreter_s: float | None = None
    listen_s: float | None = None
    first_response_s: float | None = None
    sent_s: float | None = None
    status: int = 0
    received_s: float | None = None
    png_s: float | None = None
    response_s: float | None = None
    first_byte_s: float | None = None
    connect_s: float | None = None
    began_s: float | None = None
    startup_s: float | None = None
    model_load_s: float | None = None
    generate_s: float | None = None
    encode_s: float | None = None
    store_s: float | None = None
    process_s: float | None = None
    record_s: float | None = None
    prior_requests: int | None = None
    instance: str = ""
    revision: str = ""
    error: str = ""

    @property
    def imports_server_s(self) -> float:
        """From the interpreter's first line to the first response."""
        return max((self.first_response_s or 0.0) - (self.interpreter_s or 0.0), 0.0)

    @property
    def first_request_s(self) -> float:
        """From the first response until the handler had the task."""
        return max((self.received_s or 0.0) - (self.first_response_s or 0.0), 0.0)

    @property
    def without_load_s(self) -> float:
        """The response without the model's load, which is within the handler's work."""
        return (self.response_s or 0.0) - (self.model_load_s or 0.0)

    def take_durations(self, record: Record) -> None:
        """Take the durations of its record."""
        for name in ("model_load_s", "generate_s", "encode_s", "store_s", "process_s"):
            setattr(self, name, getattr(record, name))
