"""The other forms of a push: CloudEvents in structured mode, and messages without an envelope."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pipeline.errors import MessageError
from pipeline.protocol.clock import rfc3339
from pipeline.protocol.envelope import decode_push
from pipeline.protocol.task_message import decode_task
from tests.pipeline.test_envelope import PUBLISHED, body_of, message_with
from tests.support.builders.tasks import a_task

STAMPS = {"publication_started_at": PUBLISHED, "submitted_at": PUBLISHED}


def structured(**data: Any) -> bytes:
    return json.dumps({"specversion": "1.0", "id": "e1", "type": "t", "source": "s", **data}).encode()


@pytest.mark.parametrize("form", ["data", "data_base64", "text"])
def test_a_structured_event_is_a_push_as_well(form: str) -> None:
    wrapped = body_of(message_with())
    encoded = base64.b64encode(wrapped).decode()
    body = {
        "data": structured(data=json.loads(wrapped)),
        "data_base64": structured(data_base64=encoded),
        "text": structured(data=wrapped.decode()),
    }[form]
    assert decode_push(body) == decode_push(wrapped)


HEADERS = {
    "x-goog-pubsub-message-id": "m7",
    "x-goog-pubsub-publish-time": rfc3339(PUBLISHED),
    "x-goog-pubsub-subscription-name": "projects/p/subscriptions/s",
}


def test_an_unwrapped_message_is_known_by_its_headers() -> None:
    task = a_task()
    envelope = decode_push(task.encode(), HEADERS)
    assert decode_task(envelope.data) == task
    assert (envelope.message_id, envelope.publish_time) == ("m7", PUBLISHED)
    assert envelope.subscription == "projects/p/subscriptions/s"


def test_an_unwrapped_message_without_metadata_is_known_by_its_content() -> None:
    first, again, other = (decode_push(a_task(seed=seed, **STAMPS).encode()) for seed in (1, 1, 2))
    assert first == again
    assert first.message_id != other.message_id
    assert (first.publish_time, first.subscription) == (None, "")


def test_an_unwrapped_message_of_a_later_version_is_refused_as_such() -> None:
    fields = json.loads(a_task().encode()) | {"schema": "diptych.task/9"}
    with pytest.raises(MessageError, match=r"unknown schema 'diptych\.task/9'"):
        decode_task(decode_push(json.dumps(fields).encode()).data)


@pytest.mark.parametrize("name", HEADERS)
def test_a_bad_header_of_an_unwrapped_message_is_a_message_error(name: str) -> None:
    with pytest.raises(MessageError):
        decode_push(a_task().encode(), {name: "x" * 1000})


@pytest.mark.parametrize(
    "body",
    [
        structured(),
        structured(data="hello"),
        structured(data=[]),
        structured(data_base64="@"),
        b'{"schema": "another/1"}',
    ],
)
def test_what_holds_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(MessageError):
        decode_push(body)
