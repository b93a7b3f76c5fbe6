"""What a job has left in the store, read back."""

from __future__ import annotations

from typing import Any

from pipeline.protocol.clock import utc_now
from results.documents import JSON_TYPE, Cancellation, dump, load
from results.naming import cancelled_name, record_name
from results.record import Record
from results.stores.base import Store

JOB = "job-a"


def read_record(store: Store, target: str = "container", task: int = 0) -> Record:
    name = record_name(JOB, target, task)
    return load(Record, store.read(name), name)


def names(store: Store, prefix: str) -> list[str]:
    return [info.name for info in store.list(prefix)]


def cancel(store: Store) -> None:
    store.create(cancelled_name(JOB), dump(Cancellation(cancelled_at=utc_now())), JSON_TYPE)


def only(store: Store, prefix: str, kind: Any) -> Any:
    found = names(store, prefix)
    assert len(found) == 1, found
    return load(kind, store.read(found[0]), found[0])
