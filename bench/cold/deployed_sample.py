"""One request of a run at deployed services, as the raw file keeps it. Seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal

from results.records import StoredRecord, is_cold

Asked = Literal["burst", "after"]
Phase = Literal["cold", "ready", "warm", "unknown"]
READY_S: Final = 10.0
"""A process that began so long before the request was not begun for it; clocks differ by less."""


@dataclass(slots=True)
class DeployedStart:
    """One request. What is of its record is None without one.

    Args:
        repeat: from 0.
        position: of the target in its repeat, from 0: the order alternates.
        target: who.
        asked: in a burst, which makes instances start, or alone after it, for a warm one to compare with.
        task: number.
        phase: cold: the first task of a process that was begun for it; ready: the first task of one that
            stood ready (min-instances, or started for another request); warm; unknown: there is no record.
        outcome: ok: answered, and there is a record; error.
        sent_s: since the run's start.
        status: HTTP; 0: no answer.
        response_s: sending to the last byte, by this machine's clock.
        first_byte_s: to the first.
        connect_s: of a new connection, TCP and TLS.
        began_s: from sending until the process began. By two clocks: as good as their agreement; so is
            record_s.
        startup_s: from the process's begin to the handler's, by the instance's clock.
        model_load_s: of the record. The next four likewise.
        generate_s: generating.
        encode_s: PNG.
        store_s: writing it.
        process_s: all of the handler's work.
        record_s: from sending until the record was in the store.
        prior_requests: of the process.
        instance: the process.
        revision: what is deployed.
        error: why there is none.
    """

    repeat: int
    position: int
    target: str
    asked: Asked
    task: int
    phase: Phase = "unknown"
    outcome: Literal["ok", "error"] = "error"
    sent_s: float = 0.0
    status: int = 0
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

    def row(self) -> tuple[str | int | float | None, ...]:
        """Its cells, in the order of COLUMNS."""
        return astuple(self)

    def read(self, stored: StoredRecord, sent_at_s: float) -> None:
        """Take what its record says.

        Args:
            stored: the record.
            sent_at_s: when the request was sent, Unix time.
        """
        record = stored.record

        def since_sent(moment: datetime) -> float:
            return moment.timestamp() - sent_at_s

        self.began_s = since_sent(record.instance_started_at)
        self.startup_s = (record.received_at - record.instance_started_at).total_seconds()
        self.record_s = since_sent(stored.created_at)
        for name in ("model_load_s", "generate_s", "encode_s", "store_s", "process_s", "prior_requests"):
            setattr(self, name, getattr(record, name))
        self.instance, self.revision = record.instance_id, record.worker_revision
        self.phase = "warm" if not is_cold(record) else "cold" if self.began_s > -READY_S else "ready"


COLUMNS: Final = tuple(field.name for field in fields(DeployedStart))
_TEXTS: Final = frozenset(("target", "asked", "phase", "outcome", "instance", "revision", "error"))
_NUMBERS: Final = frozenset(("repeat", "position", "task", "status"))


def deployed_start_of(row: Mapping[str, str]) -> DeployedStart:
    """Read a row of the raw file.

    Raises:
        KeyError, ValueError: it is none of such a run's.
    """
    values: dict[str, Any] = {name: _value(name, row[name]) for name in COLUMNS}
    return DeployedStart(**values)


def _value(name: str, cell: str) -> object:
    if name in _TEXTS:
        return cell
    if name in _NUMBERS:
        return int(cell)
    if name == "prior_requests":
        return int(cell) if cell else None
    return float(cell) if cell else None
