"""The reserve: a pull subscription of the dead-letter topic, for when the push to the container fails too.

What it holds is mostly in the store already; what is not is written there, and then both are acknowledged.
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
"""An empty subscription does not answer; after so long it counts as empty."""
ACK_DEADLINE_S: Final = 120
COLLECT_LIMIT_S: Final = 60.0
"""One command collects for no longer; the next goes on."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What was found in the reserve.

    Args:
        collected: messages that the reserve holds no more: what is to be kept of them is in the store.
        written: documents that the store did not have: their push has not got through.
        left: messages left there: of jobs that this store does not know, or that hold no task.
        more: the time was up before the reserve was empty.
    """

    collected: int = 0
    written: int = 0
    left: int = 0
    more: bool = False


class DeadLetterPull:
    """The reserve of one topic. It connects at the first call.

    Args:
        address: of the topic.
        collect_limit_s: see COLLECT_LIMIT_S.
    """

    def __init__(self, address: PubSubAddress, *, collect_limit_s: float = COLLECT_LIMIT_S) -> None:
        self._address = address
        self._limit_s = collect_limit_s
        self._pull_limit_s = EMULATOR_PULL_S if address.emulator else SERVICE_PULL_S
        self._path = address.subscription_path(address.dead_letter_pull)
        self._client: Any = None

    def collect(self, store: Store) -> Collection:
        """Move dead letters into the store: written first, acknowledged then; twice is no harm.

        Raises:
            BrokerError: the subscription cannot be pulled from; what was collected is safe.
            StoreError: the store cannot be written.
        """
        found, left = Collection(), {}
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
                found = replace(
                    found,
                    collected=found.collected + len(taken),
                    written=found.written + sum(filter(None, written)),
                    left=len(left),
                )
                if not fresh:
                    return found
                if time.monotonic() > deadline:
                    return replace(found, more=True)
        except client_errors() as error:
            raise broker_error(error, self._address, self._address.dead_letter_pull) from error
        finally:
            self._give_back([*left.values()])

    def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._client.transport.close()
            self._client = None

    def _pull(self) -> list[Any]:
        from google.api_core.exceptions import DeadlineExceeded

        request = {"subscription": self._path, "max_messages": PULL_MESSAGES}
        try:
            received = [*self._call("pull", request, self._pull_limit_s).received_messages]
        except DeadlineExceeded:
            return []  # how the service says that there is nothing
        if received:
            ids = [message.ack_id for message in received]
            self._set_deadline(ids, ACK_DEADLINE_S)
        return received

    def _give_back(self, ack_ids: list[str]) -> None:
        """Let others see at once what stays there. What fails here comes back by itself."""
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
    """Writes letters into one store; asks only once whether it has a job."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, bool] = {}

    def write_dead_letter(self, message: Any) -> int | None:
        """Write a letter, unless the store has it.

        Returns:
            How many documents were new; None if it holds no task, or one of a job that is not in this store.
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
