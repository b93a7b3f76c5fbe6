"""What ends without a target having taken it: dead letters, and messages that cannot be read."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from pipeline.errors import MessageError
from pipeline.protocol.clock import utc_now
from pipeline.protocol.task_message import TaskMessage, decode_task
from pipeline.worker import dead_letters
from results.documents import DeadLetter, Rejection, create_once
from results.naming import rejected_name
from results.stores.base import Store
from worker_celery.queued_delivery import QueuedDelivery

MAX_BODY_BYTES: Final = 4096


def write_dead_letter(store: Store, queued_delivery: QueuedDelivery) -> None:
    """Write a queued delivery's dead letter; see `pipeline.worker.dead_letters`.

    A queued delivery whose message cannot be read has no place among a job's dead letters: it is rejected.

    Raises:
        StoreError: the store refused.
    """
    try:
        task = _task_of(queued_delivery)
    except MessageError as error:
        reject(store, queued_delivery.arguments(), error, queued_delivery.target)
        return
    letter = DeadLetter(
        job_id=task.job_id,
        task_index=task.task_index,
        publication=task.publication,
        target=queued_delivery.target,
        message_id=queued_delivery.message_id,
        attempts=queued_delivery.attempt,
        last_error=queued_delivery.last_error,
        dead_at=utc_now(),
        message=dict(queued_delivery.message),
    )
    dead_letters.write_dead_letter(store, letter)


def reject(store: Store, arguments: Mapping[str, Any], error: MessageError, target: str) -> None:
    """Keep what a Celery message held when it is no queued delivery; the same one twice is kept once.

    Raises:
        StoreError: the store refused.
    """
    reject_raw(store, json.dumps(arguments, default=str, sort_keys=True).encode(), error, target)


def reject_raw(store: Store, raw: bytes, error: MessageError, target: str | None) -> None:
    """Keep what lay in a queue and is no message; the same one twice is kept once.

    Raises:
        StoreError: the store refused.
    """
    message_id = f"celery-{hashlib.sha256(raw).hexdigest()[:32]}"
    now = utc_now()
    rejection = Rejection(
        received_at=now,
        target=target or "",
        message_id=message_id,
        error="bad_message",
        detail=str(error),
        body_bytes=len(raw),
        body_text=raw[:MAX_BODY_BYTES].decode("utf-8", "replace"),
    )
    create_once(store, rejected_name(f"{now:%Y-%m-%d}", message_id), rejection)


def _task_of(queued_delivery: QueuedDelivery) -> TaskMessage:
    try:
        data = base64.b64decode(str(queued_delivery.message.get("data", "")), validate=True)
    except binascii.Error as error:
        raise MessageError(f"`data` is not base64: {error}") from error
    return decode_task(data)
