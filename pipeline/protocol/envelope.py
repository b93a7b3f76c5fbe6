"""The envelope around a task: what Pub/Sub push posts, and what a CloudEvent carries. Both ways.

References: https://cloud.google.com/pubsub/docs/push (wrapped messages),
https://cloud.google.com/pubsub/docs/payload-unwrapping (unwrapped ones),
https://cloud.google.com/pubsub/docs/reference/rest/v1/PubsubMessage, and for events in structured mode
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic_core import from_json

from pipeline.errors import MessageError
from pipeline.protocol.clock import parse_rfc3339, rfc3339
from pipeline.protocol.task_message import TaskMessage
from pipeline.protocol.trace_ids import Headers

MAX_BODY_BYTES: Final = 64 * 1024
"""A push is refused above this before it is read: 8 KiB of data in base64, its attributes, and room."""

# Pub/Sub's own limits (https://cloud.google.com/pubsub/quotas#resource_limits).
MAX_ATTRIBUTES: Final = 100
MAX_ATTRIBUTE_KEY_CHARS: Final = 256
MAX_ATTRIBUTE_VALUE_CHARS: Final = 1024
MAX_ID_CHARS: Final = 256
MAX_SUBSCRIPTION_CHARS: Final = 512
MAX_ATTEMPT: Final = 10**6

HEADER: Final = "x-goog-pubsub-"
"""How the headers of an unwrapped message begin, where the subscription writes its metadata."""
SCHEMA_FAMILY: Final = "diptych.task/"
"""How the schema of every task begins, of whatever version."""
TRACE_ATTRIBUTE: Final = "googclient_traceparent"
"""Where the Pub/Sub client library's tracing puts the W3C trace context."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One delivered message, checked but with its data still to be decoded.

    Args:
        data: the message's data, base64 undone; at least one byte.
        attributes: the message's attributes.
        message_id: the broker's id; the same for every delivery of the message.
        publish_time: when the broker took it, aware UTC; None if the envelope does not say.
        delivery_attempt: from 1; None if the envelope does not say (the emulator, functions-framework).
        subscription: full name of the subscription, or "".
        trace: W3C trace context of the publisher, or None.
    """

    data: bytes
    attributes: Mapping[str, str]
    message_id: str
    publish_time: datetime | None
    delivery_attempt: int | None
    subscription: str
    trace: str | None


def decode_push(body: bytes, headers: Headers | None = None) -> Envelope:
    """Decode the body of a Pub/Sub push request: wrapped, unwrapped, or a CloudEvent in structured mode.

    Args:
        body: the request's body; the caller has refused what is over MAX_BODY_BYTES, this checks it again.
        headers: the request's: an unwrapped message has its id and its time there, if anywhere.
    Raises:
        MessageError: oversize, not JSON, too deep, or a field is missing or of the wrong type.
    """
    parsed = _parse_json(body)
    if isinstance(parsed, Mapping) and "message" not in parsed:
        if "specversion" in parsed:
            return decode_cloud_event(_event_data(parsed))
        if str(parsed.get("schema", "")).startswith(SCHEMA_FAMILY):
            return _unwrapped(body, headers or {})
    return _decode(parsed)


def decode_cloud_event(data: object) -> Envelope:
    """Decode the data of a `google.cloud.pubsub.topic.v1.messagePublished` CloudEvent.

    Args:
        data: the event's data as functions-framework gives it: a dict; or its JSON as bytes or str.
    Raises:
        MessageError: as `decode_push`.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    if isinstance(data, bytes):
        return decode_push(data)
    return _decode(data)


def queued_message(task: TaskMessage, message_id: str, publish_time: datetime) -> dict[str, Any]:
    """The Pub/Sub message that carries a task, as JSON: what Celery transports in Pub/Sub's place.

    Args:
        task: the task.
        message_id: 1 to MAX_ID_CHARS characters, unique per publication of the task.
        publish_time: aware.
    Raises:
        MessageError: the task is over the message's size limit.
    """
    stamp = rfc3339(publish_time)
    return {
        "data": base64.b64encode(task.encode()).decode("ascii"),
        "attributes": task.attributes(),
        "messageId": message_id,
        "message_id": message_id,
        "publishTime": stamp,
        "publish_time": stamp,
    }


def push_body(message: Mapping[str, Any], subscription: str, attempt: int) -> bytes:
    """The very body that Pub/Sub push posts for a message.

    Args:
        message: from `queued_message`.
        subscription: full name, e.g. "projects/local/subscriptions/diptych-container".
        attempt: deliveries so far, this one included.
    """
    envelope = {"message": message, "subscription": subscription, "deliveryAttempt": attempt}
    return json.dumps(envelope, separators=(",", ":")).encode()


def peek_message_id(body: bytes) -> str | None:
    """The id in a body that could not be decoded, for its rejection; None if it holds none."""
    try:
        envelope = _parse_json(body)
    except MessageError:
        return None
    message = envelope.get("message") if isinstance(envelope, Mapping) else None
    if not isinstance(message, Mapping):
        return None
    found = message.get("messageId", message.get("message_id"))
    return found[:MAX_ID_CHARS] if isinstance(found, str) and found else None


def _parse_json(body: bytes) -> object:
    if len(body) > MAX_BODY_BYTES:
        raise MessageError(f"the envelope is {len(body)} bytes, over the limit of {MAX_BODY_BYTES}")
    try:
        # pydantic's parser bounds the depth: no RecursionError from a body of brackets.
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise MessageError(f"the envelope is not JSON: {error}") from error


def _event_data(event: Mapping[str, Any]) -> object:
    """The data of an event in structured mode, as JSON or in base64."""
    if "data_base64" not in event:
        return event.get("data")
    return _data(event["data_base64"])


def _unwrapped(body: bytes, headers: Headers) -> Envelope:
    """A message that is the body as it is. Without an id of the broker's it is known by its content."""
    fallback = f"unwrapped-{hashlib.sha256(body).hexdigest()[:32]}"
    return Envelope(
        data=body,
        attributes={},
        message_id=_message_id({"messageId": headers.get(f"{HEADER}message-id", fallback)}),
        publish_time=_publish_time({"publishTime": headers.get(f"{HEADER}publish-time", "")}),
        delivery_attempt=None,
        subscription=_text(
            headers.get(f"{HEADER}subscription-name", ""), "subscription", MAX_SUBSCRIPTION_CHARS
        ),
        trace=None,
    )


def _decode(envelope: object) -> Envelope:
    if not isinstance(envelope, Mapping):
        raise MessageError("the envelope is not a JSON object")
    message = envelope.get("message")
    if not isinstance(message, Mapping):
        raise MessageError("the envelope has no `message` object")
    attributes = _attributes(message.get("attributes"))
    return Envelope(
        data=_data(message.get("data")),
        attributes=attributes,
        message_id=_message_id(message),
        publish_time=_publish_time(message),
        delivery_attempt=_attempt(envelope.get("deliveryAttempt")),
        subscription=_text(envelope.get("subscription", ""), "subscription", MAX_SUBSCRIPTION_CHARS),
        trace=attributes.get(TRACE_ATTRIBUTE),
    )


def _text(value: object, what: str, limit: int) -> str:
    if not isinstance(value, str):
        raise MessageError(f"`{what}` is not a string")
    if len(value) > limit:
        raise MessageError(f"`{what}` is {len(value)} characters, over the limit of {limit}")
    try:
        # Frameworks' JSON parsers let half a surrogate pair through; what a record is made of does not.
        value.encode()
    except UnicodeEncodeError as error:
        raise MessageError(f"`{what}` is not valid Unicode") from error
    return value


def _data(value: object) -> bytes:
    if value is None or value == "":
        raise MessageError("the message has no `data`")
    try:
        return base64.b64decode(_text(value, "data", MAX_BODY_BYTES), validate=True)
    except ValueError as error:
        raise MessageError(f"`data` is not base64: {error}") from error


def _message_id(message: Mapping[str, Any]) -> str:
    value = message.get("messageId", message.get("message_id"))
    if value is None or value == "":
        raise MessageError("the message has no `messageId`")
    return _text(value, "messageId", MAX_ID_CHARS)


def _publish_time(message: Mapping[str, Any]) -> datetime | None:
    value = message.get("publishTime", message.get("publish_time"))
    if value is None or value == "":
        return None
    try:
        return parse_rfc3339(_text(value, "publishTime", MAX_ID_CHARS))
    except ValueError as error:
        raise MessageError(f"`publishTime`: {error}") from error


def _attributes(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise MessageError("`attributes` is not an object")
    if len(value) > MAX_ATTRIBUTES:
        raise MessageError(f"{len(value)} attributes are over the limit of {MAX_ATTRIBUTES}")
    return {
        _text(key, "attribute name", MAX_ATTRIBUTE_KEY_CHARS): _text(
            item, "attribute value", MAX_ATTRIBUTE_VALUE_CHARS
        )
        for key, item in value.items()
    }


def _attempt(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_ATTEMPT:
        raise MessageError("`deliveryAttempt` is not a whole number from 0")
    # Pub/Sub sends 0 where the subscription has no dead-letter policy: it does not count there.
    return value or None
