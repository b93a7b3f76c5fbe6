"""What a broker has lost is published again, once, and nothing else is: on a real broker and a real store."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from pipeline.config.celery_settings import queue_name, task_name
from pipeline.config.settings import Settings
from pipeline.errors import RequestError
from producer.celery.connection import connect
from producer.celery.lost_task_audit import LostTaskAudit, Recovery
from producer.celery.publisher import CeleryPublisher
from producer.celery.queue import CeleryQueue
from producer.publish import Run, all_tasks, publish_runs
from producer.recovery import resume_lost
from producer.republish import cancel, resume, retry
from results import naming
from results.stores.directory import DirectoryStore
from results.targets import Target
from tests.producer.conftest import JOB, end_task, stored_job
from tests.support.servers.broker import CONTAINER, note_unacknowledged, pop, task_in, waiting
from tests.support.waiting import LIMIT_S
from worker_celery.queued_delivery import QueuedDelivery

QUEUES = (CONTAINER, queue_name("function"))


def no_pause() -> None: ...


def recover(store: DirectoryStore, settings: Settings, pause: Callable[[], None] = no_pause) -> Recovery:
    """What an audit that begins now comes to."""
    with closing(LostTaskAudit(store, settings, pause)) as audit:
        return audit.run()


@pytest.mark.usefixtures("job")
def test_a_message_that_is_gone_is_published_again_once(
    store: DirectoryStore, settings: Settings, redis: Redis
) -> None:
    before = waiting(redis)
    lost = task_in(pop(redis))
    found = recover(store, settings)
    assert found.as_lines() == [f"job {JOB}: 1 lost task published again"]
    assert (found.jobs, dict(found.republished[JOB].lost)) == (1, {"container": 1})
    assert waiting(redis) == before
    again = task_in(redis.lindex(CONTAINER, 0))
    assert (again.task_index, again.targets, again.publication) == (lost.task_index, ("container",), 1)

    assert recover(store, settings).republished == {}
    assert waiting(redis) == before


@pytest.mark.usefixtures("job")
def test_a_whole_queue_that_is_gone_is_published_again(
    store: DirectoryStore, settings: Settings, redis: Redis
) -> None:
    """As after a broker that does not sync its file at once, or a queue that somebody purged."""
    before = waiting(redis)
    redis.delete(CONTAINER)
    assert recover(store, settings).republished[JOB].messages == 4
    assert waiting(redis) == before


@pytest.mark.parametrize("targets", [("container", "function"), ("celery",)])
def test_what_waits_is_held_or_was_put_back_is_not_touched(
    store: DirectoryStore,
    publisher: CeleryPublisher,
    settings: Settings,
    redis: Redis,
    targets: tuple[Target, ...],
) -> None:
    manifest = stored_job(store, targets=targets)
    publish_runs(store, publisher, manifest, 0, [all_tasks(manifest)])
    app, connection = connect(settings)
    queue, held = queue_name(targets[0]), []
    with closing(connection), connection.Consumer(app.amqp.queues.select_add(queue)) as consumer:
        consumer.register_callback(lambda _, message: held.append(message))
        consumer.qos(prefetch_count=2)
        while len(held) < 2:
            connection.drain_events(timeout=LIMIT_S)
        # The first is put back as the deliverer does it: sent again with its backoff, then acknowledged.
        queued_delivery = QueuedDelivery.from_arguments({**held[0].payload[1], "target": targets[0]})
        later = queued_delivery.met_failure("500", time.time() + 60)
        app.send_task(task_name(targets[0]), kwargs=later.arguments(), queue=queue)
        held[0].ack()
        assert (redis.hlen("unacked"), redis.llen(queue)) == (1, 3)
        assert recover(store, settings).republished == {}
        assert (redis.hlen("unacked"), redis.llen(queue)) == (1, 3)


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("arrival", ["with a worker", "on the queue", "recorded", "failed", "cancelled"])
def test_what_is_on_its_way_at_the_first_look_is_not_lost(
    store: DirectoryStore, settings: Settings, redis: Redis, arrival: str
) -> None:
    raw = pop(redis)
    task = task_in(raw).task_index

    def arrive() -> None:
        if arrival == "with a worker":
            note_unacknowledged(redis, raw)
        elif arrival == "on the queue":
            redis.lpush(CONTAINER, raw)
        elif arrival == "recorded":
            end_task(store, naming.record_name(JOB, "container", task))
        elif arrival == "failed":
            end_task(store, naming.failure_name(JOB, "container", task, 0, "d"))
        else:
            cancel(store, JOB)

    assert recover(store, settings, arrive).republished == {}
    assert store.stat(naming.published_name(JOB, 1, task, task)) is None


@pytest.mark.usefixtures("job")
def test_what_somebody_else_publishes_meanwhile_is_not_published_twice(
    store: DirectoryStore, settings: Settings, redis: Redis
) -> None:
    pop(redis)
    inner: list[Recovery] = []
    found = recover(store, settings, lambda: inner.append(recover(store, settings)))
    assert (found.republished, inner[0].republished[JOB].messages) == ({}, 1)


def test_jobs_that_have_ended_are_left_alone(
    store: DirectoryStore, publisher: CeleryPublisher, settings: Settings, redis: Redis
) -> None:
    for name in ("cancelled", "succeeded", "failed"):
        manifest = stored_job(store, job_id=name, count=2, targets=("container",))
        publish_runs(store, publisher, manifest, 0, [all_tasks(manifest)])
    cancel(store, "cancelled")
    end_task(store, naming.record_name("succeeded", "container", 0))
    end_task(store, naming.deadletter_name("failed", "container", 0, 0))
    redis.delete(CONTAINER)
    assert recover(store, settings) == Recovery(0)
    assert redis.llen(CONTAINER) == 0
    with closing(CeleryQueue(settings)) as queue:
        assert queue.jobs() == {"failed"}, "a retry can open that one again"

    retry(store, publisher, "failed")
    pop(redis)
    assert recover(store, settings).republished["failed"].publication == 2


def test_jobs_of_another_broker_or_store_are_left_alone(
    store: DirectoryStore, settings: Settings, redis: Redis, publisher: CeleryPublisher, tmp_path: Path
) -> None:
    """Two stacks may share a bucket, and two stores a broker."""
    elsewhere = DirectoryStore.from_url((tmp_path / "elsewhere").as_uri())
    manifest = stored_job(elsewhere, job_id="of-another-store")
    publish_runs(elsewhere, publisher, manifest, 0, [all_tasks(manifest)])
    stored_job(store, job_id="of-another-broker")
    end_task(store, naming.published_name("of-another-broker", 0, 0, 3))
    for queue in QUEUES:
        redis.delete(queue)
    assert recover(store, settings) == Recovery(0)
    with (
        closing(CeleryQueue(settings)) as reader,
        pytest.raises(RequestError, match=r"does not know job of-another-broker.*--stalled 0s"),
    ):
        resume_lost(store, publisher, reader, "of-another-broker", pause=no_pause)
    assert [redis.llen(queue) for queue in QUEUES] == [0, 0]


def test_a_job_that_cannot_be_read_does_not_hide_the_others(
    store: DirectoryStore, publisher: CeleryPublisher, settings: Settings, redis: Redis
) -> None:
    bad, good = stored_job(store, job_id="a-bad-one"), stored_job(store)
    for manifest in (bad, good):
        publish_runs(store, publisher, manifest, 0, [all_tasks(manifest)])
    store.delete(naming.manifest_name("a-bad-one"))
    end_task(store, naming.manifest_name("a-bad-one"))
    redis.delete(CONTAINER)
    found = recover(store, settings)
    assert found.republished[JOB].messages == 4
    assert "job a-bad-one cannot be audited" in found.as_lines()[-1]


def test_resume_lost_publishes_also_what_never_reached_the_broker(
    store: DirectoryStore, publisher: CeleryPublisher, settings: Settings, redis: Redis
) -> None:
    manifest = stored_job(store, targets=("container",))
    with closing(CeleryQueue(settings)) as queue:
        assert resume_lost(store, publisher, queue, JOB, pause=no_pause).messages == 4, "none was published"
        redis.delete(CONTAINER)
        store.delete(naming.published_name(JOB, 1, 0, 3))
        publish_runs(store, publisher, manifest, 2, [Run(0, 1, manifest.targets)])
        pop(redis)
        done = resume_lost(store, publisher, queue, JOB, pause=no_pause)
        assert (done.publication, done.messages, dict(done.lost)) == (3, 3, {"container": 1})
        assert waiting(redis) == {("container", task): 1 for task in range(4)}
        assert resume(store, publisher, JOB).publication is None


DIES_IN_THE_WINDOW = """
import os, signal, sys
import kombu.transport.redis
from pipeline.config.settings import Settings
from producer.celery.connection import connect

kombu.transport.redis.QoS.append = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
app, connection = connect(Settings(broker_url=sys.argv[1]))
with connection.Consumer(app.amqp.queues.select_add(sys.argv[2]), callbacks=[print]):
    connection.drain_events(timeout=120)
"""


@pytest.mark.usefixtures("job")
def test_a_consumer_killed_between_taking_and_noting_loses_nothing(
    store: DirectoryStore, settings: Settings, redis: Redis
) -> None:
    before = waiting(redis)
    argv = [sys.executable, "-c", DIES_IN_THE_WINDOW, settings.broker_url, CONTAINER]
    assert subprocess.run(argv, check=False).returncode == -signal.SIGKILL
    assert (redis.llen(CONTAINER), redis.hlen("unacked")) == (3, 0), (
        "kombu has closed the window: drop the audit"
    )
    recover(store, settings)
    assert waiting(redis) == before


def test_celery_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, producer.celery.lost_task_audit; print('celery' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
