"""Which tasks a broker has, read while it is at work."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from deploy.doctor.local_stack import broker_check
from pipeline.config.settings import Settings
from pipeline.errors import BrokerError
from producer.celery.publisher import CeleryPublisher
from producer.celery.queue import PAGE_MESSAGES, CeleryQueue, QueuedTask
from producer.health.stack_warnings import stack_warnings
from producer.publish import all_tasks, publish_runs
from results.stores.directory import DirectoryStore
from tests.producer.conftest import JOB, stored_job
from tests.support.servers.broker import CONTAINER, note_unacknowledged, pop, waiting
from tests.support.servers.valkey import free_port


def test_a_message_that_a_worker_takes_during_a_look_is_seen(
    store: DirectoryStore, publisher: CeleryPublisher, settings: Settings, redis: Redis
) -> None:
    manifest = stored_job(store, count=PAGE_MESSAGES + 2, images_per_task=1, targets=("container",))
    publish_runs(store, publisher, manifest, 0, [all_tasks(manifest)])
    with closing(CeleryQueue(settings)) as queue:
        look = queue.tasks(["container"])
        seen = {next(look).task_index}
        note_unacknowledged(redis, pop(redis))
        redis.lpush(CONTAINER, "new")  # what comes in pushes the others on
        seen.update(task.task_index for task in look)
    assert seen == set(range(PAGE_MESSAGES + 2))


def test_a_message_that_is_put_back_during_a_look_is_seen(
    store: DirectoryStore, publisher: CeleryPublisher, settings: Settings, redis: Redis
) -> None:
    manifest = stored_job(store, count=PAGE_MESSAGES + 2, images_per_task=1, targets=("container",))
    publish_runs(store, publisher, manifest, 0, [all_tasks(manifest)])
    raw = pop(redis)
    note_unacknowledged(redis, raw)
    with closing(CeleryQueue(settings)) as queue:
        look = queue.tasks(["container"])
        first = [next(look), next(look)]  # what is held, and the first page
        redis.lpush(CONTAINER, raw)
        redis.hdel("unacked", "a-tag")
        seen = {task.task_index for task in (*first, *look)}
    assert seen == set(range(PAGE_MESSAGES + 2))


@pytest.mark.usefixtures("job")
def test_what_dead_workers_hold_can_be_put_back(settings: Settings, redis: Redis) -> None:
    before = waiting(redis)
    note_unacknowledged(redis, pop(redis))
    assert waiting(redis) != before
    with closing(CeleryQueue(settings)) as queue:
        assert queue.give_back(queue.held()) == 1
        assert queue.give_back(queue.held()) == 0
    assert waiting(redis) == before
    assert redis.hlen("unacked") == 0


@pytest.mark.usefixtures("job")
def test_what_is_no_task_in_the_broker_is_passed_over(settings: Settings, redis: Redis) -> None:
    body = base64.b64encode(json.dumps([[], {"message": {"data": "e30="}}, {}]).encode()).decode()
    for junk in ("", "[]", '{"body": 7}', '{"body": "!"}', '{"body": "e30="}', json.dumps({"body": body})):
        redis.lpush(CONTAINER, junk)
    held = ("junk", "[1, 2]", json.dumps([None, "", CONTAINER]), '[{}, "", {"x": 1}]')
    for tag, junk in enumerate(held):
        redis.hset("unacked", str(tag), junk)
    with closing(CeleryQueue(settings)) as queue:
        assert [*queue.tasks(["container"])] == [QueuedTask(JOB, "container", task) for task in (3, 2, 1, 0)]


@pytest.mark.parametrize(("policy", "warnings"), [("noeviction", 0), ("allkeys-lru", 1), ("volatile-ttl", 1)])
def test_a_broker_that_may_forget_tasks_is_warned_of(
    settings: Settings,
    redis: Redis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    policy: str,
    warnings: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    redis.config_set("maxmemory-policy", policy)
    try:
        lines = stack_warnings(settings, ["container"])
        check = broker_check(settings)
    finally:
        redis.config_set("maxmemory-policy", "noeviction")
    assert len(lines) == warnings
    assert check.status == ("warn" if warnings else "ok")
    assert all(f"eviction policy is {policy}: it drops tasks" in line for line in lines)


def test_a_broker_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(BrokerError, match="does not answer"):
        [*CeleryQueue(Settings(broker_url=f"redis://127.0.0.1:{free_port()}/0")).tasks(["container"])]
    with pytest.raises(BrokerError, match="no Redis or Valkey"):
        CeleryQueue(Settings(broker_url="memory://")).jobs()
