"""Reading records, and the values that are derived from them."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta

import pytest

from results.documents import JSON_TYPE, dump
from results.errors import DocumentError, ObjectNotFound
from results.naming import record_name
from results.parallel import map_in_order
from results.records import (
    cpu_s_per_image,
    iter_records,
    latency_s,
    process_without_load_s,
    read_record,
    round_trip_s,
)
from results.stores.base import Store
from tests.support.builders.pictures import JOB, START, record, write_job
from tests.support.waiting import LIMIT_S


def test_records_come_back_with_the_stores_time(store: Store) -> None:
    name = record_name(JOB, "container", 5)
    written = record(5, "container")
    info = store.create(name, dump(written), JSON_TYPE)
    found = read_record(store, JOB, "container", 5)
    assert found.record == written
    assert found.created_at == info.created_at
    with pytest.raises(ObjectNotFound):
        read_record(store, JOB, "function", 5)


def test_all_records_come_in_the_order_of_tasks(store: Store) -> None:
    for task in (11, 2, 0, 100, 57, *range(200, 240)):
        store.create(record_name(JOB, "function", task), dump(record(task, "function")), JSON_TYPE)
    tasks = [stored.record.task_index for stored in iter_records(store, JOB, "function")]
    assert tasks == [0, 2, 11, 57, 100, *range(200, 240)]
    later = [stored.record.task_index for stored in iter_records(store, JOB, "function", after_task=57)]
    assert later == [100, *range(200, 240)]
    assert list(iter_records(store, JOB, "container")) == []


def test_a_job_written_by_workers_can_be_read(store: Store) -> None:
    job = write_job(store)
    stored = [*iter_records(store, JOB, "container")]
    assert [len(one.record.images) for one in stored] == [4, 4, 2]
    assert sum(one.record.image_count for one in stored) == job.count


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"schema":"diptych.record/9"}', b"\xff"])
def test_a_damaged_record_is_told_by_name(store: Store, damage: bytes) -> None:
    store.create(record_name(JOB, "container", 3), damage, JSON_TYPE)
    with pytest.raises(DocumentError, match=r"records/000003\.json cannot be read"):
        read_record(store, JOB, "container", 3)
    for task in (2, 4):
        store.create(record_name(JOB, "container", task), dump(record(task, "container")), JSON_TYPE)
    left_out: list[str] = []
    stored = iter_records(store, JOB, "container", left_out=left_out.append)
    assert [one.record.task_index for one in stored] == [2, 4]
    (problem,) = left_out
    assert "records/000003.json cannot be read" in problem


def test_derived_values_are_those_of_the_design() -> None:
    done = record(0, "container", process_s=2.0, model_load_s=0.5, cpu_user_s=1.5, cpu_system_s=0.5)
    created_at = START + timedelta(seconds=3.25)
    assert round_trip_s(done, created_at) == 3.25
    assert latency_s(done, created_at) == 1.25
    assert process_without_load_s(done) == 1.5
    assert cpu_s_per_image(done) == 0.5
    assert cpu_s_per_image(record(0, "container", images_painted=0, images_found=4)) is None


def test_things_are_done_at_once_but_yielded_in_order() -> None:
    both = threading.Barrier(2, timeout=LIMIT_S)

    def meet(item: int) -> int:
        both.wait()
        return item

    assert list(map_in_order(meet, range(6), threads=2)) == [*range(6)]


def test_an_endless_source_is_taken_only_a_little_ahead() -> None:
    taken = itertools.count()
    results = map_in_order(lambda item: item, taken, threads=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    results.close()  # type: ignore[attr-defined]
    assert next(taken) <= 3 + 2 * 4


def test_the_first_error_ends_the_iteration() -> None:
    def divide(item: int) -> float:
        return 1 / item

    results = map_in_order(divide, [1, 2, 0, 4])
    assert [next(results), next(results)] == [1.0, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(results)
