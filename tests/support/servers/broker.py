"""What a broker holds, read and moved about behind kombu's back, as a crash leaves it."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import Any

from redis import Redis

from pipeline.config.celery_settings import queue_name
from pipeline.protocol.task_message import TaskMessage, decode_task
from results.targets import Target

CONTAINER = queue_name("container")


def task_in(raw: object) -> TaskMessage:
    return decode_task(base64.b64decode(arguments_in(raw)["message"]["data"]))


def arguments_in(raw: object) -> dict[str, Any]:
    assert isinstance(raw, bytes)
    found: dict[str, Any] = json.loads(base64.b64decode(json.loads(raw)["body"]))[1]
    return found


def waiting(redis: Redis) -> Counter[tuple[Target, int]]:
    """How often each task is on the queue of its target."""
    return Counter(
        (target, task_in(raw).task_index)
        for target in ("container", "function", "celery")
        for raw in redis.lrange(queue_name(target), 0, -1)
    )


def pop(redis: Redis, queue: str = CONTAINER) -> bytes:
    """Take the next message as BRPOP does, and keep it from being noted as unacknowledged."""
    raw = redis.rpop(queue)
    assert isinstance(raw, bytes)
    return raw


def note_unacknowledged(redis: Redis, raw: bytes, queue: str = CONTAINER) -> None:
    """What kombu does once it has a message."""
    redis.hset("unacked", "a-tag", json.dumps([json.loads(raw), "", queue]))
