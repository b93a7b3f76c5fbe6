"""`POST /dead-letter`: what Pub/Sub has given up becomes a document that `status` and `dlq` read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import MAX_BODY_BYTES, push_body, queued_message
from pipeline.worker.pubsub_dead_letters import COUNT_ATTRIBUTE, SOURCE_ATTRIBUTE
from pipeline.worker.runtime import Runtime
from results.documents import DeadLetter, load
from results.errors import StoreError
from results.naming import deadletter_name, record_name
from results.stores.open import open_store
from tests.support.builders.fakes import a_runtime
from tests.support.builders.stores import FaultyStore
from tests.support.builders.tasks import a_task
from tests.worker_container.test_app import app_over

PUSH = "projects/local/subscriptions/diptych-dead-letters-push"


def letter(source: str = "diptych-function", message_id: str = "m9", **changes: Any) -> bytes:
    """What Pub/Sub posts for a message that it forwarded to the dead-letter topic."""
    message = queued_message(a_task(**changes), message_id, utc_now())
    message["attributes"] |= {
        COUNT_ATTRIBUTE: "100",
        SOURCE_ATTRIBUTE: source,
        "CloudPubSubDeadLetterSourceSubscriptionProject": "local",
        "CloudPubSubDeadLetterSourceTopicPublishTime": "2026-11-24T12:00:00.000+00:00",
    }
    return push_body(message, PUSH, 1)


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    return a_runtime(tmp_path / "store", monkeypatch, push_auth="off")


@pytest.fixture
def client(runtime: Runtime) -> FlaskClient:
    return app_over(runtime).test_client()


def test_a_dead_letter_is_written_once(client: FlaskClient, runtime: Runtime) -> None:
    name = deadletter_name("job-a", "function", 0, 0)
    assert client.post("/dead-letter", data=letter()).status_code == 204
    written = runtime.store.read(name)
    assert load(DeadLetter, written, name).attempts == 100
    assert client.post("/dead-letter", data=letter(message_id="m10")).status_code == 204
    assert runtime.store.read(name) == written
    assert len(list(runtime.store.list(""))) == 1


def test_the_container_s_own(client: FlaskClient, runtime: Runtime) -> None:
    assert client.post("/dead-letter", data=letter("prod-diptych-container")).status_code == 204
    assert runtime.store.stat(deadletter_name("job-a", "container", 0, 0))


def test_a_recorded_task_is_not_dead(client: FlaskClient, runtime: Runtime) -> None:
    runtime.store.create(record_name("job-a", "function", 0), b"{}", "application/json")
    assert client.post("/dead-letter", data=letter()).status_code == 204
    assert not runtime.store.stat(deadletter_name("job-a", "function", 0, 0))


def test_it_needs_no_generation_slot(client: FlaskClient, runtime: Runtime) -> None:
    runtime.shutdown.start()
    with runtime.slot:
        assert client.post("/dead-letter", data=letter()).status_code == 204


@pytest.mark.parametrize(
    "junk", [b"", b"junk", json.dumps({"message": {"data": "e30=", "messageId": "m1"}}).encode()]
)
def test_what_cannot_be_read_is_kept(client: FlaskClient, runtime: Runtime, junk: bytes) -> None:
    assert client.post("/dead-letter", data=junk).status_code == 204
    assert len(list(runtime.store.list("rejected/"))) == 1


def test_oversize(client: FlaskClient, runtime: Runtime) -> None:
    assert client.post("/dead-letter", data=b"x" * (MAX_BODY_BYTES + 1)).status_code == 204
    assert len(list(runtime.store.list("rejected/"))) == 1


def test_a_store_that_is_away_is_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_name: str, _data: bytes) -> None:
        raise StoreError("429", transient=True)

    store = FaultyStore(open_store((tmp_path / "store").as_uri()), away)
    runtime = a_runtime(tmp_path / "store", monkeypatch, store=store, push_auth="off")
    answer = app_over(runtime).test_client().post("/dead-letter", data=letter())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
