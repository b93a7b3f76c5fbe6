"""From a message that arrives to its outcome: the one way in for all three workers."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pipeline.errors import BusyError, MessageError
from pipeline.protocol.envelope import MAX_BODY_BYTES, Envelope, decode_cloud_event, decode_push
from pipeline.protocol.outcomes import Delivery, Outcome, Result
from pipeline.protocol.task_message import TaskMessage, decode_task
from pipeline.protocol.trace_ids import Headers, trace_id
from pipeline.telemetry.logs import fields
from pipeline.worker.process import not_addressed, process_task
from pipeline.worker.pubsub_dead_letters import write_envelope_dead_letter
from pipeline.worker.rejection import reject
from pipeline.worker.retries import BUSY_RETRY_S, store_retry
from pipeline.worker.runtime import Runtime
from results.errors import StoreError

_log = logging.getLogger(__name__)


def handle_push(
    body: bytes,
    runtime: Runtime,
    *,
    headers: Headers | None = None,
    trace: str | None = None,
    wait_s: float = 0.0,
) -> Result:
    """Handle the body of a Pub/Sub push request. Never raises.

    Args:
        body: the request's body.
        runtime: this process's runtime; its target is who the task arrived at.
        headers: the request's, for a message without an envelope; see `decode_push`.
        trace: trace id from the request's headers, if known.
        wait_s: how long to wait for the generation slot before answering RETRY, "busy".
    """
    try:
        envelope = decode_push(body, headers)
    except MessageError as error:
        return reject(runtime, error, body)
    return handle_envelope(envelope, runtime, trace=trace, wait_s=wait_s)


def handle_cloud_event(
    data: object, runtime: Runtime, *, trace: str | None = None, wait_s: float = 0.0
) -> Result:
    """Handle the data of a Pub/Sub CloudEvent. Never raises.

    Args:
        data: the event's data, as `decode_cloud_event` takes it.
        runtime, trace, wait_s: as `handle_push`.
    """
    try:
        envelope = decode_cloud_event(data)
    except MessageError as error:
        body = data if isinstance(data, bytes) else json.dumps(data, default=str).encode()
        return reject(runtime, error, body)
    return handle_envelope(envelope, runtime, trace=trace, wait_s=wait_s)


def handle_envelope(
    envelope: Envelope, runtime: Runtime, *, trace: str | None = None, wait_s: float = 0.0
) -> Result:
    """Handle a decoded envelope: decode its task, take the generation slot, process. Never raises.

    Args:
        envelope: what was delivered.
        runtime, trace, wait_s: as `handle_push`.
    """
    arrived_s = time.monotonic()
    try:
        task = decode_task(envelope.data)
    except MessageError as error:
        return reject(runtime, error, envelope.data, message_id=envelope.message_id)
    delivery = Delivery(
        target=runtime.target,
        message_id=envelope.message_id,
        published_at=envelope.publish_time,
        attempt=envelope.delivery_attempt,
        trace=trace or trace_id(envelope.trace),
        delivery_id=Delivery.new_id(),
    )
    with runtime.tracing.delivery(envelope.trace, _trace_attributes(task, delivery)) as span:
        delivery = replace(delivery, trace=span.trace_id or delivery.trace)
        result = _process(task, delivery, runtime, arrived_s, wait_s)
        span.end_with(result)
    _report(task, delivery, result)
    return result


def handle_dead_letter(body: bytes, runtime: Runtime, *, trace: str | None = None) -> Result:
    """Handle a push from the dead-letter topic: write the dead letter into the store. Never raises.

    It takes no generation slot, and is not turned away while the worker stops: nothing else may take it.

    Args:
        body: the request's body.
        runtime: this process's runtime; the letter is for whom its attributes name.
        trace: trace id from the request's headers, if known.
    """
    try:
        envelope = decode_push(body)
        names = write_envelope_dead_letter(runtime.store, envelope)
    except MessageError as error:
        return reject(runtime, error, body)
    except StoreError as error:
        return store_retry(error)
    text = f"dead letter {', '.join(names)}" if names else "dead letter of a task that needs none"
    level = logging.ERROR if names else logging.INFO
    labels = {"message": envelope.message_id}
    _log.log(level, "%s", text, extra=fields(labels, trace or trace_id(envelope.trace)))
    return Result(Outcome.DONE, "dead_lettered" if names else "not_dead")


def handle_oversize(body_bytes: int, runtime: Runtime) -> Result:
    """Reject a request by its length alone, unread.

    Args:
        body_bytes: its announced length, over MAX_BODY_BYTES.
        runtime: this process's runtime.
    """
    error = MessageError(f"the envelope is {body_bytes} bytes, over the limit of {MAX_BODY_BYTES}: not read")
    return reject(runtime, error, b"", body_bytes=body_bytes, message_id=f"oversize-{Delivery.new_id()}")


def _process(
    task: TaskMessage, delivery: Delivery, runtime: Runtime, arrived_s: float, wait_s: float
) -> Result:
    if delivery.target not in task.targets:
        # Ahead of the slot: whoever generates has no reason to hold up what needs no generating.
        return not_addressed(task, runtime)
    try:
        with _generation_slot(runtime, wait_s):
            return process_task(task, delivery, runtime, arrived_s=arrived_s)
    except BusyError as error:
        return Result(Outcome.RETRY, "busy", str(error), retry_after_s=error.retry_after_s)
    except Exception as error:  # noqa: BLE001 (the last line before the queue; see below)
        # A bug of ours must neither lose the task (so it is delivered again) nor loop for ever (so the
        # delivery counts as an attempt, and the limit on attempts makes it a dead letter).
        _log.exception("%s: unexpected error", _what(task), extra=_fields(task, delivery))
        detail = f"{type(error).__name__}: {error}"
        return Result(Outcome.RETRY, "unexpected_error", detail, at_fault=True)


@contextmanager
def _generation_slot(runtime: Runtime, wait_s: float) -> Iterator[None]:
    if not runtime.slot.acquire(timeout=wait_s) if wait_s > 0 else not runtime.slot.acquire(blocking=False):
        raise BusyError(BUSY_RETRY_S)
    try:
        yield
    finally:
        runtime.slot.release()


def _report(task: TaskMessage, delivery: Delivery, result: Result) -> None:
    level = logging.INFO
    if result.outcome is Outcome.FAILED or result.at_fault:
        level = logging.ERROR
    elif result.outcome is Outcome.RETRY and result.reason != "busy":
        level = logging.WARNING
    text = f"{_what(task)}: {result.outcome} ({result.reason})"
    _log.log(
        level, "%s", f"{text}: {result.detail}" if result.detail else text, extra=_fields(task, delivery)
    )


def _what(task: TaskMessage) -> str:
    return f"{task.job_id} task {task.task_index}"


def _trace_attributes(task: TaskMessage, delivery: Delivery) -> dict[str, str | int]:
    return {
        "messaging.message.id": delivery.message_id,
        "diptych.job": task.job_id,
        "diptych.task": task.task_index,
        "diptych.target": delivery.target,
        "diptych.delivery": delivery.delivery_id,
    }


def _fields(task: TaskMessage, delivery: Delivery) -> dict[str, object]:
    labels = {
        "job": task.job_id,
        "task": str(task.task_index),
        "target": delivery.target,
        "delivery": delivery.delivery_id,
    }
    return fields(labels, delivery.trace)
