"""The dead-letter pull subscription: a second copy of each dead letter, in case its push fails too.

Most of its messages are in the store already; the others are written there, then all are acknowledged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline.config.pubsub_settings import PubSubAddress
from pipeline.errors import MessageError
from pipeline.protocol.envelope import Envelope
from pipeline.protocol.task_message import decode_task
from pipeline.worker.pubsub_dead_letters import SOURCE_ATTRIBUTE, dead_targets, write_envelope_dead_letter
from producer.pubsub.connection import emulator_channel, fresh_credentials
from producer.pubsub.errors import broker_error, client_errors
from results.naming import deadletter_name, manifest_name
from results.parallel import map_in_order
from results.stores.base import Store

PULL_MESSAGES: Final = 200
CALL_LIMIT_S: Final = 10.0
SERVICE_PULL_S: Final = 3.0
EMULATOR_PULL_S: Final = 1.0
"""An empty subscription does not respond; after this timeout it counts as empty."""
ACK_DEADLINE_S: Final = 120
COLLECT_LIMIT_S: Final = 60.0
"""Time limit of one command; the next one continues."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """The result of reading the dead-letter pull subscription.

    Args:
        collected: messages acknowledged: their dead letters are in the store.
        written: documents that were not in the store yet: their push has not succeeded.
        left: messages not acknowledged: of jobs that are not in this store, or not tasks.
        more: the time limit was reached before the subscription was empty.
    """

    collected: int = 0
    written: int = 0
    left: int = 0
    more: bool = False


class DeadLetterPull:
    """The dead-letter pull subscription of one topic. It connects at the first call.

    Args:
        address: the topic.
        collect_limit_s: see COLLECT_LIMIT_S.
    """

    def __init__(self, address: PubSubAddress, *, collect_limit_s: float = COLLECT_LIMIT_S) -> None:
        self._address = address
        self._limit_s = collect_limit_s
        self._pull_limit_s = EMULATOR_PULL_S if address.emulator else SERVICE_PULL_S
        self._path = address.subscription_path(address.dead_letter_pull)
        self._client: Any = None

    def collect(self, store: Store) -> Pulled:
        """Move dead letters into the store: write first, then acknowledge; repeating it does no harm.

        Raises:
            BrokerError: the subscription cannot be pulled from; messages collected so far are safe.
            StoreError: the store cannot be written.
        """
        pulled, left = Pulled(), {}
        deadline = time.monotonic() + self._limit_s
        dead_letters = _DeadLetterWriter(store)
        try:
            while True:
                messages = self._pull()
                fresh = [received for received in messages if received.message.message_id not in left]
                written = [
                    *map_in_order(dead_letters.write_dead_letter, [received.message for received in fresh])
                ]
                taken = [r.ack_id for r, count in zip(fresh, written, strict=True) if count is not None]
                left.update({r.message.message_id: r.ack_id for r in messages if r.ack_id not in taken})
                if taken:
                    self._call("acknowledge", {"subscription": self._path, "ack_ids": taken})
                pulled = replace(
                    pulled,
                    collected=pulled.collected + len(taken),
                    written=pulled.written + sum(filter(None, written)),
                    left=len(left),
                )
                if not fresh:
                    return pulled
                if time.monotonic() > deadline:
                    return replace(pulled, more=True)
        except client_errors() as error:
            raise broker_error(error, self._address, self._address.dead_letter_pull) from error
        finally:
            self._release([*left.values()])

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.transport.close()
            self._client = None

    def _pull(self) -> list[Any]:
        from google.api_core.exceptions import DeadlineExceeded

        request = {"subscription": self._path, "max_messages": PULL_MESSAGES}
        try:
            received = [*self._call("pull", request, self._pull_limit_s).received_messages]
        except DeadlineExceeded:
            return []  # the service's response for an empty subscription
        if received:
            ids = [message.ack_id for message in received]
            self._set_deadline(ids, ACK_DEADLINE_S)
        return received

    def _release(self, ack_ids: list[str]) -> None:
        """Make unacknowledged messages available to others at once; if that fails, their deadline does it."""
        if ack_ids:
            try:
                self._set_deadline(ack_ids, 0)
            except client_errors():
                return

    def _set_deadline(self, ack_ids: list[str], seconds: int) -> None:
        request = {"subscription": self._path, "ack_ids": ack_ids, "ack_deadline_seconds": seconds}
        self._call("modify_ack_deadline", request)

    def _call(self, method: str, request: dict[str, Any], limit_s: float = CALL_LIMIT_S) -> Any:
        if self._client is None:
            self._client = _connect(self._address)
        call: Callable[..., Any] = getattr(self._client, method)
        return call(request=request, timeout=limit_s, retry=None)


def _connect(address: PubSubAddress) -> Any:
    if not address.emulator:
        credentials = fresh_credentials(address)
        from google.pubsub_v1 import SubscriberClient

        return SubscriberClient(credentials=credentials)
    channel = emulator_channel(address)
    from google.pubsub_v1 import SubscriberClient
    from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

    return SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))


class _DeadLetterWriter:
    """Writes dead letters into one store; looks each job up only once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, bool] = {}

    def write_dead_letter(self, message: Any) -> int | None:
        """Write a dead letter, unless the store has it.

        Returns:
            Number of new documents; None if it is not a task, or of a job that is not in this store.
        """
        envelope = Envelope(
            data=message.data,
            attributes=dict(message.attributes),
            message_id=message.message_id,
            publish_time=message.publish_time,
            delivery_attempt=None,
            subscription="",
            trace=None,
        )
        try:
            task = decode_task(envelope.data)
        except MessageError:
            return None
        if task.job_id not in self._known:
            self._known[task.job_id] = self._store.stat(manifest_name(task.job_id)) is not None
        if not self._known[task.job_id]:
            return None
        names = [
            deadletter_name(task.job_id, target, task.task_index, task.publication)
            for target in dead_targets(task, envelope.attributes.get(SOURCE_ATTRIBUTE, ""))
        ]
        there = self._store.find(names)
        return (
            0
            if len(there) == len(names)
            else len({*write_envelope_dead_letter(self._store, envelope)} - there.keys())
        )
