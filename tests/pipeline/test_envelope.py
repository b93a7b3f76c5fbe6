"""The envelope: round trips, every kind of bad input, and that nothing but MessageError ever comes out."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageError
from pipeline.protocol.clock import parse_rfc3339, rfc3339
from pipeline.protocol.envelope import (
    MAX_BODY_BYTES,
    Envelope,
    decode_cloud_event,
    decode_push,
    peek_message_id,
    push_body,
    queued_message,
)
from pipeline.protocol.task_message import MAX_MESSAGE_BYTES, decode_task
from tests.support.builders.tasks import a_task

PUBLISHED = datetime(2026, 11, 24, 9, 30, 0, 250_000, tzinfo=UTC)


def body_of(message: Any, **others: Any) -> bytes:
    return json.dumps({"message": message, "subscription": "projects/p/subscriptions/s", **others}).encode()


def message_with(**changes: Any) -> dict[str, Any]:
    return {**queued_message(a_task(), "m1", PUBLISHED), **changes}


def test_push_body_round_trip() -> None:
    task = a_task(image_count=5)
    envelope = decode_push(push_body(queued_message(task, "m1", PUBLISHED), "projects/p/subscriptions/s", 3))
    assert decode_task(envelope.data) == task
    assert envelope == Envelope(
        data=task.encode(),
        attributes=task.attributes(),
        message_id="m1",
        publish_time=PUBLISHED,
        delivery_attempt=3,
        subscription="projects/p/subscriptions/s",
        trace=None,
    )


def test_attributes_carry_one_key_per_target() -> None:
    message = queued_message(a_task(targets=("function",)), "m1", PUBLISHED)
    assert message["attributes"]["target_function"] == "1"
    assert "target_container" not in message["attributes"]


def test_emulator_body_has_no_attempt() -> None:
    assert decode_push(body_of(message_with())).delivery_attempt is None


def test_attempt_zero_means_not_counted() -> None:
    assert decode_push(body_of(message_with(), deliveryAttempt=0)).delivery_attempt is None


@pytest.mark.parametrize("dropped", [("messageId", "publishTime"), ("message_id", "publish_time")])
def test_either_spelling_is_read(dropped: tuple[str, str]) -> None:
    message = {key: value for key, value in message_with().items() if key not in dropped}
    envelope = decode_push(body_of(message))
    assert (envelope.message_id, envelope.publish_time) == ("m1", PUBLISHED)


def test_nanoseconds_are_cut_to_microseconds() -> None:
    envelope = decode_push(body_of(message_with(publishTime="2026-11-24T09:30:00.250000999Z")))
    assert envelope.publish_time == PUBLISHED


def test_trace_comes_from_the_publisher() -> None:
    traceparent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    message = message_with(attributes={"googclient_traceparent": traceparent})
    assert decode_push(body_of(message)).trace == traceparent


@pytest.mark.parametrize("as_type", [dict, bytes, str])
def test_cloud_event_data_in_every_form(as_type: type) -> None:
    data: Any = {"message": message_with(), "subscription": "s"}
    if as_type is not dict:
        text = json.dumps(data)
        data = text if as_type is str else text.encode()
    assert decode_task(decode_cloud_event(data).data).job_id == "job-a"


@pytest.mark.parametrize("where", [{"messageId": "\ud800"}, {"attributes": {"a": "\ud800"}}])
def test_half_a_surrogate_pair_in_a_parsed_event_is_refused(where: dict[str, Any]) -> None:
    """Python's JSON parser lets it through, and no record could be written of it."""
    with pytest.raises(MessageError, match="not valid Unicode"):
        decode_cloud_event({"message": message_with(**where)})


BAD_BODIES = {
    "empty": b"",
    "not json": b"hello",
    "not utf-8": b"\xff\xfe{}",
    "deep": b"[" * 30_000 + b"]" * 30_000,
    "deep object": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "nan": b'{"message": NaN}',
    "a list": b"[]",
    "a number": b"1",
    "no message": b"{}",
    "message null": b'{"message": null}',
    "message text": b'{"message": "x"}',
    "no data": body_of({"messageId": "1"}),
    "empty data": body_of(message_with(data="")),
    "data number": body_of(message_with(data=1)),
    "bad base64": body_of(message_with(data="@@@")),
    "base64 padding": body_of(message_with(data="abcde")),
    "base64 not ascii": body_of(message_with(data="é===")),
    "base64 line break": body_of(message_with(data="YWJj\nYWJj")),
    "no id": body_of({"data": "YQ=="}),
    "id number": body_of(message_with(messageId=1)),
    "id long": body_of(message_with(messageId="x" * 300)),
    "attributes list": body_of(message_with(attributes=[])),
    "attribute number": body_of(message_with(attributes={"a": 1})),
    "attributes many": body_of(message_with(attributes={str(i): "" for i in range(101)})),
    "attribute long": body_of(message_with(attributes={"a": "x" * 1025})),
    "time number": body_of(message_with(publishTime=1)),
    "time words": body_of(message_with(publishTime="yesterday")),
    "time naive": body_of(message_with(publishTime="2026-11-24T09:30:00")),
    "time out of range": body_of(message_with(publishTime="0001-01-01T00:00:00+23:00")),
    "attempt text": body_of(message_with(), deliveryAttempt="1"),
    "attempt bool": body_of(message_with(), deliveryAttempt=True),
    "attempt negative": body_of(message_with(), deliveryAttempt=-1),
    "subscription number": json.dumps({"message": message_with(), "subscription": 1}).encode(),
    "oversize": body_of(message_with(attributes={"a": "x" * MAX_BODY_BYTES})),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_body_is_one_short_message_error(name: str) -> None:
    with pytest.raises(MessageError) as caught:
        decode_push(BAD_BODIES[name])
    text = str(caught.value)
    assert text
    assert "\n" not in text
    assert len(text) < 300


def test_peek_message_id() -> None:
    assert peek_message_id(body_of(message_with(data="@@"))) == "m1"
    for body in (b"junk", b"[]", b"{}", b'{"message": {"messageId": 3}}'):
        assert peek_message_id(body) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
message_keys = st.sampled_from(
    ["data", "attributes", "messageId", "message_id", "publishTime", "publish_time", "orderingKey"]
)


@given(st.binary(max_size=300))
def test_any_bytes_give_an_envelope_or_message_error(body: bytes) -> None:
    try:
        decode_push(body)
    except MessageError:
        peek_message_id(body)


@given(st.dictionaries(message_keys, json_values), json_values, json_values)
def test_any_message_gives_an_envelope_or_message_error(
    message: Any, subscription: Any, attempt: Any
) -> None:
    data = {"message": message, "subscription": subscription, "deliveryAttempt": attempt}
    try:
        envelope = decode_cloud_event(data)
    except MessageError:
        return
    assert envelope.data is not None
    assert envelope.publish_time is None or envelope.publish_time.tzinfo is UTC


task_keys = st.sampled_from(sorted(json.loads(a_task().encode())))


@given(st.binary(max_size=300))
def test_decode_task_of_any_bytes(data: bytes) -> None:
    with pytest.raises(MessageError):
        decode_task(data)


@given(st.dictionaries(task_keys.filter(lambda key: key != "schema"), json_values, min_size=1, max_size=3))
def test_decode_task_of_a_task_with_odd_values(changes: dict[str, Any]) -> None:
    fields = json.loads(a_task().encode())
    try:
        task = decode_task(json.dumps({**fields, **changes}).encode())
    except MessageError:
        return
    assert 1 <= len(task.indices) <= 256


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image_count", 0),
        ("image_count", -1),
        ("image_count", 10**12),
        ("image_count", 257),
        ("image_count", 1.5),
        ("first_index", 10**8),
        ("first_index", -1),
        ("seed", 2**63),
        ("seed", -1),
        ("job_id", "../../etc/passwd"),
        ("job_id", "a\0b"),
        ("job_id", "a" * 300),
        ("job_id", ""),
        ("model", "../model"),
        ("model", "gs://bucket/model"),
        ("model_digest", "sha256:short"),
        ("targets", []),
        ("targets", ["laptop"]),
        ("precision", "fp64"),
        ("params", {"k": []}),
        ("submitted_at", "never"),
        ("submitted_at", "2026-11-24T09:30:00"),
        ("publication_started_at", "2026-11-24T09:30:00"),
        ("schema", "diptych.task/2"),
        ("schema", None),
    ],
)
def test_task_value_outside_its_limits(field: str, value: Any) -> None:
    fields = json.loads(a_task().encode())
    with pytest.raises(MessageError) as caught:
        decode_task(json.dumps({**fields, field: value}).encode())
    assert "\n" not in str(caught.value)


def test_nan_count_is_refused() -> None:
    text = a_task().encode().replace(b'"image_count":3', b'"image_count":NaN')
    with pytest.raises(MessageError):
        decode_task(text)


def test_deep_params_are_refused() -> None:
    deep = b'{"a":' * 1000 + b"1" + b"}" * 1000
    with pytest.raises(MessageError):
        decode_task(a_task().encode().replace(b'"params":{}', b'"params":' + deep))


def test_last_index_must_fit() -> None:
    fields = json.loads(a_task().encode())
    with pytest.raises(MessageError, match="last index"):
        decode_task(json.dumps({**fields, "first_index": 10**8 - 1, "image_count": 2}).encode())


def test_oversize_task_is_refused_on_both_sides() -> None:
    with pytest.raises(MessageError, match="over the limit"):
        decode_task(b" " * (MAX_MESSAGE_BYTES + 1))
    with pytest.raises(MessageError, match="shorten the params"):
        a_task(params={"prompt": "x" * MAX_MESSAGE_BYTES}).encode()


def test_unknown_fields_are_ignored() -> None:
    fields = json.loads(a_task().encode())
    assert decode_task(json.dumps({**fields, "later": [1, 2]}).encode()) == decode_task(
        json.dumps(fields).encode()
    )


def test_data_survives_base64() -> None:
    message = queued_message(a_task(), "m1", PUBLISHED)
    assert base64.b64decode(message["data"]) == decode_push(push_body(message, "s", 1)).data


def test_rfc3339_is_utc_with_microseconds() -> None:
    east = PUBLISHED.astimezone(timezone(timedelta(hours=2)))
    assert rfc3339(east) == "2026-11-24T09:30:00.250000Z"
    assert parse_rfc3339(rfc3339(east)) == PUBLISHED
    with pytest.raises(ValueError, match="time zone"):
        rfc3339(datetime(2026, 1, 1))
