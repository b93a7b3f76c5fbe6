"""Round after round of an audit: what dies, what is emptied and what is lost twice, on a real broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from redis import Redis

from pipeline.config.celery_settings import HOLDER_PROPERTY, queue_name
from pipeline.config.settings import Settings
from pipeline.protocol.clock import utc_now
from producer.celery.lost_task_audit import AGAIN_MIN_S, HOLDER_PATIENCE_S, READ_EVERY_S, LostTaskAudit
from producer.celery.publisher import CeleryPublisher
from producer.celery.queue import CeleryQueue
from producer.recovery import resume_lost
from results import naming
from results.errors import StoreError
from results.stores.directory import DirectoryStore
from tests.producer.conftest import JOB, end_task, stored_job
from tests.support.servers.broker import CONTAINER, pop, waiting
from tests.support.servers.valkey import ValkeyServer

pytestmark = pytest.mark.usefixtures("job")
HOLDER = f"{CONTAINER}:7:a-worker"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def audit(store: DirectoryStore, settings: Settings, clock: Clock) -> Iterator[LostTaskAudit]:
    """An audit that waits for nothing."""
    with closing(LostTaskAudit(store, settings, lambda: None, clock)) as audit:
        yield audit


def hold(redis: Redis, holder: str = HOLDER) -> None:
    """Take a message as our worker does."""
    message = json.loads(pop(redis))
    message["properties"][HOLDER_PROPERTY] = holder
    redis.hset("unacked", "a-tag", json.dumps([message, "", CONTAINER]))
    redis.zadd("unacked_index", {"a-tag": 1.0})


def test_what_a_dead_worker_holds_is_given_back_without_a_publication(
    audit: LostTaskAudit, clock: Clock, redis: Redis, store: DirectoryStore
) -> None:
    before = waiting(redis)
    hold(redis)
    assert audit.run().given_back == 0, "it may be connecting anew"
    clock.now_s += HOLDER_PATIENCE_S
    done = audit.run()
    assert (done.given_back, done.republished) == (1, {})
    assert done.as_lines() == ["1 task of dead workers put back onto the queue"]
    assert waiting(redis) == before
    assert (redis.hlen("unacked"), redis.zcard("unacked_index")) == (0, 0)
    assert [*store.list(naming.published_prefix(JOB))][-1].name.endswith("000-000000-000003.json")


def test_what_a_living_worker_holds_is_left_alone(
    audit: LostTaskAudit, clock: Clock, redis: Redis, valkey: ValkeyServer
) -> None:
    hold(redis)
    audit.run()
    with Redis(port=valkey.port, client_name=HOLDER) as worker:
        worker.ping()
        clock.now_s += HOLDER_PATIENCE_S
        assert audit.run().given_back == 0
    clock.now_s += 1
    assert audit.run().given_back == 0, "it has only just gone"
    assert redis.hlen("unacked") == 1


def test_what_is_held_by_workers_of_others_is_left_alone(
    audit: LostTaskAudit, clock: Clock, redis: Redis
) -> None:
    redis.hset("unacked", "a-tag", json.dumps([json.loads(pop(redis)), "", CONTAINER]))
    audit.run()
    clock.now_s += HOLDER_PATIENCE_S
    assert audit.run().given_back == 0


def test_a_broker_that_was_emptied_is_filled_again(
    audit: LostTaskAudit, redis: Redis, settings: Settings
) -> None:
    before = waiting(redis)
    audit.run()
    redis.flushall()
    assert audit.run().republished[JOB].messages == 8
    assert waiting(redis) == before
    with closing(CeleryQueue(settings)) as queue:
        assert queue.jobs() == {JOB}


def test_a_job_that_was_submitted_just_before_the_broker_was_emptied_is_found(
    audit: LostTaskAudit, redis: Redis, store: DirectoryStore
) -> None:
    audit.run()
    for job_id, submitted_at in (("new", utc_now()), ("old", utc_now() - timedelta(hours=1))):
        stored_job(store, job_id=job_id, submitted_at=submitted_at)
        end_task(store, naming.published_name(job_id, 0, 0, 3))
    redis.flushall()
    assert audit.run().republished.keys() == {JOB, "new"}


def test_a_job_of_a_broker_that_was_emptied_before_the_first_audit_is_found(
    audit: LostTaskAudit, redis: Redis, store: DirectoryStore
) -> None:
    stored_job(store, job_id="new", submitted_at=utc_now())
    end_task(store, naming.published_name("new", 0, 0, 3))
    redis.flushall()
    assert "new" in audit.run().republished


def test_a_message_that_is_missing_is_missed_at_once(audit: LostTaskAudit, redis: Redis) -> None:
    audit.run()
    pop(redis)
    assert audit.run().republished[JOB].messages == 1


def test_a_message_that_another_stands_in_for_is_missed_soon(
    audit: LostTaskAudit, clock: Clock, redis: Redis
) -> None:
    audit.run()
    pop(redis)
    redis.lpush(CONTAINER, redis.lindex(CONTAINER, 0) or b"")
    assert audit.run().republished == {}, "the count is right"
    clock.now_s += READ_EVERY_S
    assert audit.run().republished[JOB].messages == 1


def test_rounds_without_a_loss_read_no_messages_and_publish_nothing(
    audit: LostTaskAudit, clock: Clock, redis: Redis, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit.run()
    monkeypatch.setattr(CeleryQueue, "tasks", lambda *_: pytest.fail("the messages are read"))
    for task in range(4):
        end_task(store, naming.record_name(JOB, "container", task))
        pop(redis)
        clock.now_s += 2
        assert (audit.run().jobs, audit.run().republished) == (1, {})


def test_a_task_that_is_lost_again_and_again_is_published_less_and_less_often(
    audit: LostTaskAudit, clock: Clock, redis: Redis
) -> None:
    audit.run()
    published = 0
    for _ in range(31):
        redis.delete(queue_name("container"), queue_name("function"))
        published += len(audit.run().republished)
        clock.now_s += AGAIN_MIN_S
    assert published == 5, "after 0, 20, 60, 140 and 300 s"


def test_a_broker_that_is_emptied_again_and_again_is_filled_each_time(
    audit: LostTaskAudit, redis: Redis
) -> None:
    audit.run()
    for _ in range(4):
        redis.flushall()
        assert audit.run().republished[JOB].messages == 8


def test_a_task_that_could_not_be_published_again_keeps_its_turn(
    audit: LostTaskAudit, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit.run()
    redis.delete(queue_name("container"))

    def refuse(*_: object, **__: object) -> None:
        raise StoreError("disk full", transient=False)

    with monkeypatch.context() as patch:
        patch.setattr("producer.celery.lost_task_audit.publish_again", refuse)
        for _ in range(4):
            with pytest.raises(StoreError):
                audit.run()
    assert audit.run().republished[JOB].messages == 4


def test_a_job_that_is_removed_is_told_of_once(audit: LostTaskAudit, store: DirectoryStore) -> None:
    audit.run()
    store.delete(naming.manifest_name(JOB))
    assert audit.run().as_lines() == [f"job {JOB} is no longer in the store: its tasks are left alone"]
    assert audit.run().as_lines() == []


def test_resume_lost_gives_back_what_a_dead_worker_holds(
    store: DirectoryStore, publisher: CeleryPublisher, settings: Settings, redis: Redis
) -> None:
    before = waiting(redis)
    hold(redis)
    with closing(CeleryQueue(settings)) as queue:
        done = resume_lost(store, publisher, queue, JOB, pause=lambda: None)
    assert (done.given_back, done.publication) == (1, None)
    assert waiting(redis) == before
