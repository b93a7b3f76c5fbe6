"""The relay against the real emulator: wrapped and signed pushes, attempts, dead letters, faults."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks.delivery.oidc_issuer import AUDIENCE, EMAIL, LocalIssuer, SigningKey, claims_now
from benchmarks.delivery.relay import Faults, PushSettings, Relay
from pipeline.auth.push_auth import push_auth_of
from pipeline.config.pubsub_settings import PubSubAddress
from pipeline.config.settings import Settings
from pipeline.protocol.task_message import TaskMessage
from producer.pubsub.publisher import PubSubPublisher
from results.documents import DeadLetter, load
from results.naming import deadletter_name, record_name
from results.stores.open import open_store
from tests.support.builders.checkpoints import save_tiny
from tests.support.builders.tasks import a_task
from tests.support.servers.gunicorn_worker import Worker
from tests.support.servers.pubsub_emulator import PubSubEmulator
from tests.support.servers.valkey import free_port
from tests.support.waiting import wait_until


@dataclass
class Recorder:
    """A worker that answers as it is told, and remembers what was posted to it."""

    answer: Callable[[dict[str, Any]], int] = lambda _: 204
    bodies: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    url: str = ""

    def ids(self) -> list[str]:
        return [body["message"]["messageId"] for body in self.bodies]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    found = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.authorizations.append(self.headers.get("Authorization", ""))
            found.bodies.append(body)
            self.send_response(found.answer(body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}/"
    yield found
    server.shutdown()
    server.server_close()


def publish(address: PubSubAddress, tasks: Sequence[TaskMessage]) -> None:
    publisher = PubSubPublisher(Settings(broker_url=address.url))
    publisher.publish(tasks)
    publisher.close()


def tasks(count: int, **changes: Any) -> list[TaskMessage]:
    return [a_task(task_index=index, first_index=3 * index, **changes) for index in range(count)]


def test_pushes_are_wrapped_signed_and_many_at_once(
    address: PubSubAddress, recorder: Recorder, issuer: LocalIssuer
) -> None:
    def slowly(body: dict[str, Any]) -> int:
        time.sleep(0.2)
        first = recorder.ids()[0]
        return 503 if (body["message"]["messageId"], body["deliveryAttempt"]) == (first, 1) else 204

    publish(address, tasks(12))
    recorder.answer = slowly
    with Relay(address, "diptych-container", PushSettings(recorder.url, issuer.token, in_flight=6)) as relay:
        wait_until(lambda: relay.counts.acknowledged == 12, "all messages to be acknowledged")
    assert relay.counts.most_in_flight > 2
    assert relay.counts.statuses == {204: 12, 503: 1}
    assert [body["deliveryAttempt"] for body in recorder.bodies].count(2) == 1
    assert {body["subscription"] for body in recorder.bodies} == {
        address.subscription_path("diptych-container")
    }
    auth = push_auth_of(
        Settings(push_auth="verify", push_audience=AUDIENCE, push_email=EMAIL, push_certs_url=issuer.url)
    )
    assert auth is not None
    assert all(auth.refusal({"Authorization": value}) is None for value in recorder.authorizations)


def test_attempts_are_counted_and_the_last_goes_to_the_dead_letter_topic(
    address: PubSubAddress, emulator: PubSubEmulator, recorder: Recorder
) -> None:
    recorder.answer = lambda _: 503
    publish(address, tasks(1))
    with Relay(address, "diptych-function", PushSettings(recorder.url, max_attempts=3)) as relay:
        wait_until(lambda: relay.counts.dead == 1, "the dead letter")
    assert [body["deliveryAttempt"] for body in recorder.bodies] == [1, 2, 3]
    (letter,) = emulator.pull(address.subscription_path(address.dead_letter_push))
    assert letter["attributes"]["CloudPubSubDeadLetterSourceDeliveryCount"] == "3"
    assert letter["attributes"]["CloudPubSubDeadLetterSourceSubscription"] == "diptych-function"
    assert emulator.pull(address.subscription_path("diptych-function")) == []


def test_duplicates_lost_acknowledgements_and_another_order(
    address: PubSubAddress, recorder: Recorder
) -> None:
    publish(address, tasks(40))
    faults = Faults(duplicate=0.5, lost_ack=0.3, reorder=True, seed=3)
    with Relay(address, "diptych-container", PushSettings(recorder.url, faults=faults, in_flight=4)) as relay:
        wait_until(lambda: relay.counts.acknowledged == 40, "all messages to be acknowledged")
    counts, ids = relay.counts, recorder.ids()
    assert counts.duplicated > 0 < counts.redelivered
    assert len(ids) == 40 + counts.duplicated + counts.redelivered
    seen = list(dict.fromkeys(ids))
    assert sorted(seen, key=int) != seen


def test_signed_pushes_to_a_real_worker_and_dead_letters_in_the_store(
    address: PubSubAddress, issuer: LocalIssuer, tmp_path: Path
) -> None:
    """Task 0 is for both targets and the function is down; task 1 is not for the function at all."""
    digest = save_tiny(tmp_path / "models")
    store = open_store((tmp_path / "store").as_uri())
    auth = {
        "push_auth": "verify",
        "push_audience": AUDIENCE,
        "push_email": EMAIL,
        "push_certs_url": issuer.url,
    }
    worker = Worker(tmp_path, **auth)
    dead = PushSettings(f"http://127.0.0.1:{free_port()}/", issuer.token, max_attempts=3)
    stranger = SigningKey("local-1")
    try:
        worker.wait()
        publish(address, [a_task(model_digest=digest)])
        publish(address, [a_task(model_digest=digest, task_index=1, first_index=3, targets=("container",))])

        forged = PushSettings(worker.url, lambda: stranger.sign(claims_now()))
        with Relay(address, "stranger", forged) as relay:
            wait_until(lambda: relay.counts.statuses[401] >= 4, "the refusals")
        assert relay.counts.acknowledged == 0
        assert not list(store.list(""))

        push, letters = (
            PushSettings(worker.url, issuer.token),
            PushSettings(f"{worker.url}/dead-letter", issuer.token),
        )
        with (
            Relay(address, "diptych-container", push) as container,
            Relay(address, "diptych-function", dead) as function,
            Relay(address, address.dead_letter_push, letters) as dead_letters,
        ):
            wait_until(lambda: container.counts.acknowledged == 2, "the container's tasks")
            wait_until(lambda: dead_letters.counts.acknowledged == 2, "the dead letters")
        assert function.counts.dead == 2
        assert all(store.stat(record_name("job-a", "container", index)) for index in range(2))
        (info,) = store.list("jobs/job-a/function/")
        assert info.name == deadletter_name("job-a", "function", 0, 0)
        assert load(DeadLetter, store.read(info.name), info.name).attempts == 3
        assert issuer.fetches == 1
    finally:
        worker.stop()
