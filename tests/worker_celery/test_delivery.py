"""Delivery end to end: producer, broker, Celery worker and HTTP target are real, each its own process."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from contextlib import closing
from typing import Any

from celery import Celery
from redis import Redis

from benchmarks.delivery.garbage import all_garbage
from pipeline.config.celery_settings import DELIVER_TASK, celery_config, queue_name
from pipeline.config.settings import Settings
from pipeline.protocol.envelope import decode_push
from pipeline.protocol.task_message import decode_task
from producer.celery.publisher import CeleryPublisher
from producer.celery.queue import CeleryQueue
from results.documents import DeadLetter, Rejection, load
from results.naming import deadletter_name
from results.stores.directory import DirectoryStore
from tests.support.servers.valkey import ValkeyServer
from tests.support.waiting import LIMIT_S, wait_until
from tests.worker_celery.conftest import HttpTarget, Reply, Workers, slowly, task


def all_acknowledged(valkey: ValkeyServer) -> bool:
    return valkey.length(queue_name("container")) == 0 and valkey.unacknowledged() == 0


def test_each_target_gets_what_pubsub_would_push(
    publisher: CeleryPublisher, valkey: ValkeyServer, workers: Workers, target: HttpTarget
) -> None:
    publisher.publish([task(0, "container", "function")])
    assert valkey.length(queue_name("function")) == 1
    workers.start("container")
    wait_until(lambda: target.bodies and all_acknowledged(valkey), "one delivery")
    assert valkey.length(queue_name("function")) == 1, "no target waits behind the other"

    (body,) = target.bodies
    assert body["subscription"] == "projects/local/subscriptions/diptych-container"
    assert body["deliveryAttempt"] == 1
    assert body["message"]["attributes"]["target_container"] == "1"
    assert "target_function" not in body["message"]["attributes"]
    decoded = decode_task(decode_push(json.dumps(body).encode()).data)
    assert decoded == task(0, "container")


def test_busy_is_no_attempt_and_a_failure_is(
    publisher: CeleryPublisher,
    valkey: ValkeyServer,
    workers: Workers,
    target: HttpTarget,
    store: DirectoryStore,
) -> None:
    """503 and 429 more often than `push_attempts` allows, then success: nothing is dead."""
    replies = iter([503, 429] * 3 + [500, 503, 500, 204])
    target.reply = lambda _: (next(replies), {"Retry-After": "0"})
    publisher.publish([task(0)])
    workers.start("container")
    wait_until(lambda: len(target.bodies) == 10 and all_acknowledged(valkey), "the tenth delivery")
    assert [body["deliveryAttempt"] for body in target.bodies] == [*range(1, 11)]
    assert len(set(target.message_ids())) == 1
    assert store.stat(deadletter_name("a-job", "container", 0, 0)) is None


def test_a_task_that_keeps_failing_is_dead_and_holds_nobody_up(
    publisher: CeleryPublisher,
    valkey: ValkeyServer,
    workers: Workers,
    target: HttpTarget,
    store: DirectoryStore,
) -> None:
    def reply(body: dict[str, Any]) -> Reply:
        envelope = decode_push(json.dumps(body).encode())
        return (500 if decode_task(envelope.data).task_index == 0 else 204), {}

    target.reply = reply
    publisher.publish([task(0, publication=2), task(1), task(2)])
    workers.start("container")
    name = deadletter_name("a-job", "container", 0, 2)
    wait_until(lambda: store.stat(name) and all_acknowledged(valkey), "the dead letter")
    letter = load(DeadLetter, store.read(name), name)
    assert (letter.attempts, letter.target, letter.message_id) == (3, "container", target.message_ids()[0])
    assert letter.last_error.startswith("500 from http://127.0.0.1")
    assert letter.message["messageId"] == letter.message_id
    assert Counter(target.message_ids()).most_common() == [(letter.message_id, 3)] + [
        (other, 1) for other in target.message_ids() if other != letter.message_id
    ]


def test_a_dead_letter_waits_for_the_store_without_further_attempts(
    publisher: CeleryPublisher,
    valkey: ValkeyServer,
    workers: Workers,
    target: HttpTarget,
    store: DirectoryStore,
) -> None:
    target.reply = lambda _: (500, {})
    blocker = store.root / "jobs"  # a file where the store needs a folder
    blocker.parent.mkdir(parents=True, exist_ok=True)
    blocker.write_text("")
    publisher.publish([task(0)])
    workers.start("container")
    wait_until(lambda: "dead letter not written" in workers.log_text(), "a refused dead letter")
    blocker.unlink()
    wait_until(lambda: store.stat(deadletter_name("a-job", "container", 0, 0)), "the dead letter")
    wait_until(lambda: all_acknowledged(valkey), "its acknowledgement")
    assert len(target.bodies) == 3


def test_the_task_of_a_killed_deliverer_comes_back_after_the_visibility_timeout(
    publisher: CeleryPublisher, valkey: ValkeyServer, workers: Workers, target: HttpTarget
) -> None:
    held = target.hold()
    publisher.publish([task(0)])
    first = workers.start("container", visibility_timeout_s=2)
    wait_until(lambda: target.bodies, "the first delivery")
    os.killpg(first.pid, signal.SIGKILL)
    assert valkey.unacknowledged() == 1
    held.set()
    workers.start("container", visibility_timeout_s=2)
    wait_until(lambda: len(target.bodies) == 2 and all_acknowledged(valkey), "the second delivery")
    assert len(set(target.message_ids())) == 1


def test_the_task_of_a_killed_deliverer_is_known_to_be_abandoned(
    publisher: CeleryPublisher, valkey: ValkeyServer, workers: Workers, target: HttpTarget
) -> None:
    held = threading.Event()
    target.reply = lambda _: (204 if held.wait(60) else 500, {})
    publisher.publish([task(0)])
    worker = workers.start("container", visibility_timeout_s=600)
    wait_until(lambda: target.bodies, "the first delivery")
    with closing(CeleryQueue(Settings(broker_url=valkey.url))) as queue:
        assert queue.abandoned() == {}, "the worker is alive"
        os.killpg(worker.pid, signal.SIGSTOP)
        assert queue.abandoned() == {}, "it stands still"
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        wait_until(queue.abandoned, "the end of its connections")
        (holder,) = queue.abandoned()
        assert holder.startswith(f"{queue_name('container')}:{worker.pid}:")
        assert queue.give_back(queue.abandoned()[holder]) == 1
    held.set()
    workers.start("container", visibility_timeout_s=600)
    wait_until(lambda: len(target.bodies) == 2 and all_acknowledged(valkey), "the second delivery")


def test_a_deliverer_whose_connections_are_cut_holds_nothing_that_it_does_not_deliver(
    publisher: CeleryPublisher, valkey: ValkeyServer, workers: Workers, target: HttpTarget
) -> None:
    target.reply = slowly(0.01)
    publisher.publish([task(index) for index in range(300)])
    workers.start("container", concurrency=2, visibility_timeout_s=600)
    for cut in range(6):
        wait_until(lambda: len(target.bodies) > 20 * cut, "deliveries between two cuts")  # noqa: B023
        valkey.command("CLIENT KILL TYPE normal SKIPME yes")
    wait_until(lambda: all_acknowledged(valkey), "the end of all that is in the broker")


def test_waiting_tasks_stay_inside_the_visibility_timeout(
    publisher: CeleryPublisher, valkey: ValkeyServer, workers: Workers, target: HttpTarget
) -> None:
    """Eight tasks back off for longer than the visibility timeout in sum; none is delivered twice."""
    seen: Counter[str] = Counter()

    def reply(body: dict[str, Any]) -> Reply:
        message_id = body["message"]["messageId"]
        seen[message_id] += 1
        return (500 if seen[message_id] == 1 else 204), {}

    target.reply = reply
    publisher.publish([task(index) for index in range(8)])
    workers.start("container", visibility_timeout_s=10, backoff_min_s=4, backoff_max_s=5)
    wait_until(lambda: len(target.bodies) >= 16 and all_acknowledged(valkey), "two deliveries of each")
    assert set(seen.values()) == {2}


def test_a_broker_that_is_killed_and_started_again_loses_nothing(
    publisher: CeleryPublisher, valkey: ValkeyServer, workers: Workers, target: HttpTarget
) -> None:
    publisher.publish([task(index) for index in range(60)])
    target.reply = slowly(0.02)
    workers.start("container", concurrency=2, visibility_timeout_s=2)
    wait_until(lambda: len(target.bodies) >= 10, "the first deliveries")
    valkey.kill()
    valkey.start()
    wait_until(lambda: len(set(target.message_ids())) == 60, "every task")
    wait_until(lambda: all_acknowledged(valkey), "every acknowledgement")


def test_a_worker_that_is_asked_to_stop_finishes_what_it_delivers(
    publisher: CeleryPublisher, valkey: ValkeyServer, workers: Workers, target: HttpTarget
) -> None:
    held = target.hold()
    publisher.publish([task(0), task(1)])
    worker = workers.start("container")
    wait_until(lambda: target.bodies, "the first delivery")
    worker.terminate()
    wait_until(lambda: "Warm shutdown" in workers.log_text(), "the warm shutdown")
    held.set()
    assert worker.wait(LIMIT_S) == 0
    assert len(target.bodies) == 1
    assert valkey.length(queue_name("container")) == 1
    assert valkey.unacknowledged() == 0


def test_a_message_that_is_no_queued_delivery_is_rejected_once(
    valkey: ValkeyServer, workers: Workers, target: HttpTarget, store: DirectoryStore
) -> None:
    app = Celery(set_as_current=False)
    app.conf.update(celery_config(Settings(broker_url=valkey.url)))
    for arguments in ({"target": "../x", "message": {}}, {"target": "../x", "message": {}}, {"no": "target"}):
        app.send_task(DELIVER_TASK, kwargs=arguments, queue=queue_name("container"))
    workers.start("container")
    wait_until(lambda: len([*store.list("rejected/")]) == 2 and all_acknowledged(valkey), "the rejections")
    found = [load(Rejection, store.read(info.name), info.name) for info in store.list("rejected/")]
    assert {rejection.detail for rejection in found} == {"unknown target '../x'", "unknown target 'None'"}
    assert target.bodies == []


def test_garbage_in_the_queue_is_rejected_and_the_worker_lives(
    publisher: CeleryPublisher,
    valkey: ValkeyServer,
    workers: Workers,
    target: HttpTarget,
    store: DirectoryStore,
) -> None:
    publisher.publish([task(0)])
    with Redis(port=valkey.port) as client:
        sound = client.rpop(queue_name("container"))
        assert isinstance(sound, bytes)
        garbage = [*all_garbage(json.loads(sound))]
        for raw in (*garbage, sound):
            client.lpush(queue_name("container"), raw)
    worker = workers.start("container")
    wait_until(lambda: target.bodies and all_acknowledged(valkey), "the one sound message")
    found = [load(Rejection, store.read(info.name), info.name) for info in store.list("rejected/")]
    assert len(found) == len(set(garbage))
    assert worker.poll() is None
    log = workers.log_text()
    assert log.count("is rejected: ") == len(garbage)
    assert "Traceback" not in log


def test_garbage_waits_for_a_store_that_cannot_be_written(
    valkey: ValkeyServer, workers: Workers, store: DirectoryStore
) -> None:
    store.check()
    blocker = store.root / "rejected"
    blocker.write_bytes(b"")
    valkey.command(f"LPUSH {queue_name('container')} garbage")
    workers.start("container")
    wait_until(lambda: "cannot be rejected now" in workers.log_text(), "the first try")
    blocker.unlink()
    wait_until(lambda: [*store.list("rejected/")], "the rejection")


def test_a_worker_without_a_broker_says_so_in_one_line(workers: Workers) -> None:
    worker = workers.start("container", broker_url="")
    assert worker.wait(LIMIT_S) == 1
    (line,) = [line for line in workers.log_text().splitlines() if line.startswith("error: ")]
    assert "no broker" in line
    assert "Traceback" not in workers.log_text()


def test_an_acknowledgement_that_a_dead_broker_misses_does_not_stop_the_worker(
    publisher: CeleryPublisher, valkey: ValkeyServer, workers: Workers, target: HttpTarget
) -> None:
    """With its only slot taken a worker asks the broker for nothing, so that nothing else tells it."""
    held = target.hold()
    publisher.publish([task(0), task(1)])
    workers.start("container", visibility_timeout_s=2)
    wait_until(lambda: target.bodies, "the first delivery")
    valkey.kill()
    held.set()
    wait_until(lambda: "Couldn't ack" in workers.log_text(), "an acknowledgement that fails")
    valkey.start()
    wait_until(lambda: len(set(target.message_ids())) == 2, "the second task")
    wait_until(lambda: all_acknowledged(valkey), "every acknowledgement")


def test_a_worker_that_loses_its_broker_with_a_task_in_hand_goes_on(
    publisher: CeleryPublisher, valkey: ValkeyServer, workers: Workers, target: HttpTarget
) -> None:
    held = target.hold()
    publisher.publish([task(0)])
    worker = workers.start("container", concurrency=2, visibility_timeout_s=2)
    wait_until(lambda: target.bodies, "the first delivery")
    valkey.kill()
    wait_until(lambda: "Connection to broker lost" in workers.log_text(), "the loss")
    valkey.start()
    held.set()
    publisher.publish([task(1)])
    wait_until(lambda: len(set(target.message_ids())) == 2, "the second task")
    wait_until(lambda: all_acknowledged(valkey), "every acknowledgement")
    assert worker.poll() is None
