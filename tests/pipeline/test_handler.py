"""From bytes to an outcome: rejections, the generation slot, and that no bug escapes."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import push_body, queued_message
from pipeline.protocol.http_response import http_response
from pipeline.protocol.outcomes import Outcome, Result
from pipeline.worker.handler import handle_cloud_event, handle_oversize, handle_push
from results.documents import Rejection, load
from results.errors import StoreError
from results.naming import record_name
from results.record import Record
from results.stores.base import Store
from results.stores.open import open_store
from tests.support.builders.fakes import QuickEngine, a_runtime
from tests.support.builders.stores import FaultyStore
from tests.support.builders.tasks import a_task

SUBSCRIPTION = "projects/local/subscriptions/diptych-container"


def body(attempt: int = 1, **changes: Any) -> bytes:
    return push_body(queued_message(a_task(**changes), "m7", utc_now()), SUBSCRIPTION, attempt)


def rejections(store: Store) -> list[Rejection]:
    return [load(Rejection, store.read(info.name), info.name) for info in store.list("rejected/")]


def test_push_is_processed_and_the_envelope_reaches_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    assert handle_push(body(attempt=3), runtime).outcome is Outcome.DONE
    name = record_name("job-a", "container", 0)
    record = load(Record, runtime.store.read(name), name)
    assert (record.message_id, record.delivery_attempt) == ("m7", 3)
    assert record.published_at is not None
    assert record.published_at <= record.received_at


def test_cloud_event_is_processed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(tmp_path, monkeypatch, target="function")
    assert handle_cloud_event(json.loads(body()), runtime).outcome is Outcome.DONE


@pytest.mark.parametrize("junk", [b"junk", b"[" * 50_000, b"{}", b"\xff\0", b""])
def test_junk_is_rejected_once_and_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, junk: bytes
) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    for _ in range(2):
        result = handle_push(junk, runtime)
        assert (result.outcome, result.reason) == (Outcome.FAILED, "rejected")
    (rejection,) = rejections(runtime.store)
    assert rejection.body_bytes == len(junk)
    assert len(rejection.body_text) <= 2048
    assert rejection.message_id.startswith("body-")
    assert http_response(result).status == 204


def test_bad_task_in_a_good_envelope_keeps_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    envelope = json.loads(body())
    envelope["message"]["data"] = "e30="
    assert handle_push(json.dumps(envelope).encode(), runtime).reason == "rejected"
    (rejection,) = rejections(runtime.store)
    assert (rejection.message_id, rejection.body_text) == ("m7", "{}")
    assert "unknown schema" in rejection.detail


@pytest.mark.parametrize("message_id", ["../../etc", "a\0b", "x" * 300, "ü"])
def test_hostile_message_id_stays_inside_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message_id: str
) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    envelope = json.loads(body())
    envelope["message"].update(messageId=message_id, data="@@")
    assert handle_push(json.dumps(envelope).encode(), runtime).reason == "rejected"
    (info,) = list(runtime.store.list("rejected/"))
    assert info.name.count("/") == 2


def test_bad_cloud_event_data_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(tmp_path, monkeypatch, target="function")
    odd: list[object] = [None, 3, "text", b"bytes", {"message": {}}]
    for data in odd:
        assert handle_cloud_event(data, runtime).reason == "rejected"
    assert {rejection.target for rejection in rejections(runtime.store)} == {"function"}


def test_oversize_is_rejected_by_its_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    assert handle_oversize(10**9, runtime).reason == "rejected"
    (rejection,) = rejections(runtime.store)
    assert rejection.body_bytes == 10**9


def test_rejection_that_cannot_be_written_is_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_name: str, _data: bytes) -> None:
        raise StoreError("away", transient=True)

    store = FaultyStore(open_store(tmp_path.as_uri()), refuse)
    result = handle_push(b"junk", a_runtime(tmp_path, monkeypatch, store=store))
    assert (result.outcome, result.reason) == (Outcome.RETRY, "store_unavailable")


def test_busy_slot_is_refused_at_once_or_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    runtime.slot.acquire()
    result = handle_push(body(), runtime)
    assert (result.outcome, result.reason, result.at_fault) == (Outcome.RETRY, "busy", False)
    answer = http_response(result)
    assert (answer.status, answer.headers) == (503, {"Retry-After": "1"})
    assert handle_push(body(), runtime, wait_s=0.01).reason == "busy"

    threading.Timer(0.05, runtime.slot.release).start()
    assert handle_push(body(), runtime, wait_s=30).outcome is Outcome.DONE


def test_a_bug_neither_escapes_nor_loses_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(_seeds: Sequence[int]) -> None:
        raise ZeroDivisionError("a bug")

    engine = QuickEngine(before=stumble)
    runtime = a_runtime(tmp_path, monkeypatch, engine=engine)
    with caplog.at_level(logging.ERROR):
        result = handle_push(body(), runtime)
    assert (result.outcome, result.reason, result.at_fault) == (Outcome.RETRY, "unexpected_error", True)
    assert http_response(result).status == 500
    assert caplog.records[0].exc_info
    # The slot is free again.
    engine.before = lambda _seeds: None
    assert handle_push(body(), runtime).outcome is Outcome.DONE


def test_one_line_for_each_delivery_with_labels_and_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    with caplog.at_level(logging.INFO, logger="pipeline.worker.handler"):
        handle_push(body(task_index=4, first_index=9), runtime, trace="a" * 32)
    (line,) = caplog.records
    assert line.getMessage().startswith("job-a task 4: done (recorded)")
    labels, trace = line.__dict__["labels"], line.__dict__["trace"]
    assert (labels["job"], labels["task"], labels["target"], trace) == ("job-a", "4", "container", "a" * 32)
    assert labels["delivery"]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_a_status(outcome: Outcome) -> None:
    answer = http_response(Result(outcome, "why", "detail", retry_after_s=0.2))
    assert answer.status == (503 if outcome is Outcome.RETRY else 204)
    assert bool(answer.body) is (outcome is Outcome.RETRY)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(junk=st.binary(max_size=200))
def test_any_bytes_are_rejected_and_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, junk: bytes
) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    assert handle_push(junk, runtime).outcome is Outcome.FAILED


def test_a_task_for_another_target_is_acknowledged_while_the_slot_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    with runtime.slot:
        result = handle_push(body(targets=("function",)), runtime)
    assert (result.outcome, result.reason) == (Outcome.DONE, "not_addressed")
    assert not list(runtime.store.list("jobs/"))


def test_what_an_instance_ignored_has_warmed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts among the prior requests; the first task is cold for all that: it loads the model."""
    runtime = a_runtime(tmp_path, monkeypatch)
    for _ in range(3):
        handle_push(body(targets=("function",)), runtime)
    handle_push(body(), runtime)
    handle_push(body(task_index=1, first_index=3), runtime)
    names = [record_name("job-a", "container", index) for index in range(2)]
    records = [load(Record, runtime.store.read(name), name) for name in names]
    assert [(record.cold_start, record.prior_requests) for record in records] == [(True, 3), (False, 4)]


def test_busy_and_stopping_warm_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = a_runtime(tmp_path, monkeypatch)
    with runtime.slot:
        assert handle_push(body(), runtime).reason == "busy"
    runtime.shutdown.start()
    assert handle_push(body(), runtime).reason == "draining"
    assert runtime.count_request() == 0
