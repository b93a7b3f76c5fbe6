"""Which tasks a Redis broker has, read without taking any: what waits, and what workers hold."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json

from pipeline.config.celery_settings import HOLDER_PROPERTY, queue_name
from pipeline.config.settings import Settings
from pipeline.errors import BrokerError
from producer.celery.connection import JOBS_KEY, connect, errors_of, is_redis, reason
from results.targets import Target

PAGE_MESSAGES: Final = 500
"""Messages in one answer of the broker: below a megabyte, as a rule, and never above 16."""


MARK_KEY: Final = "diptych-audited"


@dataclass(frozen=True, slots=True)
class QueuedTask:
    """A task that the broker has for a target, in some publication.

    Args:
        last_error: why the last attempt failed; "" if none has.
    """

    job_id: str
    target: Target
    task_index: int
    last_error: str = ""


class CeleryQueue:
    """The broker's lists and hash, as kombu's Redis transport lays them out. It connects at the first call.

    Args:
        settings: its `broker_url` must be set.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Any = None

    def tasks(self, targets: Iterable[Target]) -> Iterator[QueuedTask]:
        """Yield every task that waits for one of the targets or is held by its workers; some of them twice.

        A worker takes a message from its list and then notes it among the unacknowledged; they are read
        before and after the lists, so that only a message that moves twice meanwhile can be overlooked.

        Raises:
            BrokerError: the broker does not answer, or is none of whose queues can be read.
        """
        queues = {queue_name(target): target for target in targets}
        with self._client() as (client, channel):
            yield from _held(client, channel.unacked_key, queues)
            for queue, target in queues.items():
                for priority in channel.priority_steps:
                    yield from _waiting(client, channel._q_for_pri(queue, priority), target)
            yield from _held(client, channel.unacked_key, queues)

    def size(self, targets: Iterable[Target]) -> int:
        """Count the messages that wait for the targets, and those that workers hold; raises as `tasks`."""
        with self._client() as (client, channel), client.pipeline(transaction=False) as pipe:
            pipe.hlen(channel.unacked_key)
            for target in targets:
                for priority in channel.priority_steps:
                    pipe.llen(channel._q_for_pri(queue_name(target), priority))
            return sum(pipe.execute())

    def abandoned(self) -> dict[str, list[str]]:
        """Return the tags of the messages whose holder has no connection to the broker, by holder.

        A holder that loses its connection has a new one within seconds: it is dead if it stays away. What
        bears no name is held by a worker that is not ours, and left alone. None are found where the broker
        does not tell who its clients are.

        Raises:
            BrokerError: as `tasks`.
        """
        with self._client() as (client, channel):
            held = _by_holder(client, channel.unacked_key)
            if not held:
                return {}
            try:
                connected = {entry["name"] for entry in client.client_list()}
            except channel.ResponseError:
                return {}
        return {holder: tags for holder, tags in held.items() if holder not in connected}

    def held(self) -> list[str]:
        """Return the tags of all messages that workers hold; raises as `tasks`."""
        with self._client() as (client, channel):
            return [tag.decode() for tag in client.hkeys(channel.unacked_key)]

    def give_back(self, tags: Iterable[str]) -> int:
        """Put held messages back onto their queues now, and not after the visibility timeout.

        Only for those whose workers have died: what a living one holds would be done twice.

        Returns:
            Messages put back.
        Raises:
            BrokerError: as `tasks`.
        """
        count = 0
        with self._client() as (client, channel):
            for tag in tags:
                channel.qos.restore_by_tag(tag, client)
                count += 1
        return count

    def jobs(self) -> set[str]:
        """Return the jobs that were published through this broker and not forgotten; raises as `tasks`."""
        with self._client() as (client, _):
            return {name.decode() for name in client.smembers(JOBS_KEY)}

    def mark(self) -> bool:
        """Leave a mark in the broker; False if it was there: nobody has emptied the broker since."""
        with self._client() as (client, _):
            return bool(client.set(MARK_KEY, 1, nx=True))

    def remember(self, job_ids: Iterable[str]) -> None:
        """Add jobs to `jobs`, from which a broker that was emptied has dropped them; raises as `tasks`."""
        if names := [*job_ids]:
            with self._client() as (client, _):
                client.sadd(JOBS_KEY, *names)

    def forget(self, job_ids: Iterable[str]) -> None:
        """Drop jobs that have come to a final end from `jobs`; raises as `tasks`."""
        if names := [*job_ids]:
            with self._client() as (client, _):
                client.srem(JOBS_KEY, *names)

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.release()
            self._connection = None

    @contextmanager
    def _client(self) -> Iterator[tuple[Any, Any]]:
        """A client of the broker, and the channel that knows its keys; its errors become BrokerError."""
        channel = self._channel()
        try:
            with channel.conn_or_acquire() as client:
                yield client, channel
        except errors_of(self._connection) as error:
            raise self._failed(error) from error

    def _channel(self) -> Any:
        if self._connection is None:
            _, self._connection = connect(self._settings)
        if not is_redis(self._connection):
            raise BrokerError(
                f"{self._connection.as_uri()} is no Redis or Valkey: only their queues can be searched"
            )
        try:
            return self._connection.default_channel
        except errors_of(self._connection) as error:
            raise self._failed(error) from error

    def _failed(self, error: BaseException) -> BrokerError:
        return BrokerError(f"the broker's queues cannot be read: {reason(self._settings, error)}")


def _waiting(client: Any, key: str, target: Target) -> Iterator[QueuedTask]:
    """What waits in one list. New messages come in at its left and push the others on: none is skipped."""
    start = 0
    while True:
        page = client.lrange(key, start, start + PAGE_MESSAGES - 1)
        for raw in page:
            yield from _task_in(_parsed(raw), target)
        if len(page) < PAGE_MESSAGES:
            return
        start += PAGE_MESSAGES


def _held(client: Any, key: str, queues: Mapping[str, Target]) -> Iterator[QueuedTask]:
    """What workers have taken and not acknowledged: values are [message, exchange, queue] (kombu's QoS)."""
    for _, raw in client.hscan_iter(key, count=PAGE_MESSAGES):
        entry = _parsed(raw)
        target = queues.get(str(entry[2])) if isinstance(entry, list) and len(entry) == 3 else None
        if target:
            yield from _task_in(entry[0], target)


def _by_holder(client: Any, key: str) -> dict[str, list[str]]:
    """The tags of what workers hold, by the name of the worker."""
    found = defaultdict(list)
    for tag, raw in client.hscan_iter(key, count=PAGE_MESSAGES):
        try:
            found[_parsed(raw)[0]["properties"][HOLDER_PROPERTY]].append(tag.decode())
        except (KeyError, IndexError, TypeError):
            continue
    return found


def _parsed(raw: bytes) -> Any:
    try:
        return from_json(raw)
    except ValueError:
        return None


def _task_in(message: Any, target: Target) -> Iterator[QueuedTask]:
    """The task in a Celery message; nothing if there is none: a worker will reject what it cannot read."""
    try:
        # Celery's body is [args, kwargs, embed]; its kwargs are a QueuedDelivery's.
        arguments = from_json(base64.b64decode(message["body"]))[1]
        task = from_json(base64.b64decode(arguments["message"]["data"]))
        job_id, task_index = task["job_id"], task["task_index"]
        last_error = str(arguments.get("last_error", "")) if arguments.get("attempt") else ""
    except (KeyError, IndexError, TypeError, ValueError):
        return
    if isinstance(job_id, str) and isinstance(task_index, int):
        yield QueuedTask(job_id, target, task_index, last_error)
