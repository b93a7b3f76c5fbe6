"""What becomes of a queued delivery after one attempt, with a real store for the dead letters."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.config.settings import Settings
from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import queued_message
from results.documents import DeadLetter, load
from results.naming import deadletter_name
from results.stores.directory import DirectoryStore
from tests.worker_celery.conftest import task
from worker_celery import deliverer as deliverer_module
from worker_celery.deliverer import Deliverer
from worker_celery.push_response import PushResponse, PushResponseKind
from worker_celery.queued_delivery import QueuedDelivery

SETTINGS = Settings(backoff_min_s=0.01, backoff_max_s=0.05, push_attempts=3)
QUEUED_DELIVERY = QueuedDelivery("container", queued_message(task(4), "m1", utc_now()))


class Bench:
    """A deliverer whose attempts are answered from a list, and what it put back."""

    def __init__(self, store: DirectoryStore, *answers: PushResponse, settings: Settings = SETTINGS) -> None:
        self.attempts: list[QueuedDelivery] = []
        self.put_back: list[QueuedDelivery] = []
        self._answers = iter(answers)
        self.deliverer = Deliverer(settings, self._attempt, self.put_back.append, lambda: store)

    def _attempt(self, queued_delivery: QueuedDelivery) -> PushResponse:
        self.attempts.append(queued_delivery)
        return next(self._answers)


def test_an_acknowledged_queued_delivery_is_done(store: DirectoryStore) -> None:
    bench = Bench(store, PushResponse(PushResponseKind.ACK))
    assert bench.deliverer.carry(QUEUED_DELIVERY) == "acknowledged"
    assert bench.put_back == []


def test_a_busy_target_costs_no_attempt_and_its_wish_is_bounded(store: DirectoryStore) -> None:
    bench = Bench(store, PushResponse(PushResponseKind.BUSY, "503", retry_after_s=3600))
    before = time.time()
    assert bench.deliverer.carry(QUEUED_DELIVERY) == "busy"
    (later,) = bench.put_back
    assert (later.attempt, later.busy, later.last_error) == (0, 1, "503")
    assert before + 0.05 <= later.not_before <= time.time() + 0.05


def test_a_failure_costs_an_attempt_and_the_last_one_buries(store: DirectoryStore) -> None:
    failed = PushResponse(PushResponseKind.FAILED, "500")
    bench = Bench(store, failed, failed, failed)
    assert bench.deliverer.carry(QUEUED_DELIVERY) == "failed"
    assert bench.deliverer.carry(bench.put_back[0]) == "failed"
    assert bench.deliverer.carry(bench.put_back[1]) == "dead"
    assert len(bench.attempts) == 3
    assert len(bench.put_back) == 2
    name = deadletter_name("a-job", "container", 4, 0)
    letter = load(DeadLetter, store.read(name), name)
    assert (letter.attempts, letter.last_error, letter.message_id) == (3, "500", "m1")


def test_a_dead_letter_that_is_there_already_is_fine(store: DirectoryStore) -> None:
    last = QUEUED_DELIVERY.met_failure("a", 0.0).met_failure("b", 0.0)
    for _ in range(2):
        assert Bench(store, PushResponse(PushResponseKind.FAILED, "c")).deliverer.carry(last) == "dead"


def test_a_refused_dead_letter_is_tried_again_without_an_attempt(tmp_path: Path) -> None:
    blocked = tmp_path / "store"
    blocked.write_text("a file where a folder should be")
    broken = DirectoryStore.from_url(blocked.as_uri())
    dead = QUEUED_DELIVERY.met_failure("a", 0.0).met_failure("b", 0.0).met_failure("c", 0.0)
    bench = Bench(broken)
    assert bench.deliverer.carry(dead) == "dead letter put off"
    (later,) = bench.put_back
    assert (later.attempt, later.last_error) == (3, "c")
    blocked.unlink()
    assert bench.deliverer.carry(later) == "dead"
    assert bench.attempts == []


def test_a_queued_delivery_that_is_not_due_waits_a_little_and_goes_back(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliverer_module, "SLOT_PAUSE_S", 0.02)
    far = QUEUED_DELIVERY.met_failure("500", time.time() + 100)
    bench = Bench(store, settings=SETTINGS.model_copy(update={"backoff_max_s": 100}))
    assert bench.deliverer.carry(far) == "waiting"
    assert bench.put_back == [far]
    near = QUEUED_DELIVERY.met_failure("500", time.time() + 0.01)
    bench = Bench(store, PushResponse(PushResponseKind.ACK))
    assert bench.deliverer.carry(near) == "acknowledged"
    assert time.time() >= near.not_before


def test_a_clock_that_was_set_back_keeps_nothing_waiting(store: DirectoryStore) -> None:
    later = QUEUED_DELIVERY.met_failure("500", time.time() + 3600)
    bench = Bench(store, PushResponse(PushResponseKind.ACK))
    assert bench.deliverer.carry(later) == "acknowledged"


def test_an_unreadable_message_that_runs_out_of_attempts_is_rejected(store: DirectoryStore) -> None:
    for data in ("not base64!", "e30=", 7):
        last = QueuedDelivery("container", {"messageId": "m", "data": data}, attempt=2)
        assert Bench(store, PushResponse(PushResponseKind.FAILED, "500")).deliverer.carry(last) == "dead"
    assert len([*store.list("rejected/")]) == 3
    assert [*store.list("jobs/")] == []
