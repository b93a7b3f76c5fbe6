"""Plays the push subscription of real Pub/Sub in front of the emulator, with what the emulator leaves out.

The emulator's own push sends no token and no `deliveryAttempt`, and holds two pushes in flight. The relay
pulls instead, and posts wrapped, signed pushes, any number at once; what is refused too often goes to the
dead-letter topic. On order it does what at-least-once delivery allows: duplicates, another order, and
acknowledgements that get lost.
"""

from __future__ import annotations

import base64
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from pipeline.config.pubsub_settings import PubSubAddress
from pipeline.protocol.clock import rfc3339
from pipeline.protocol.envelope import push_body
from pipeline.worker.pubsub_dead_letters import COUNT_ATTRIBUTE, SOURCE_ATTRIBUTE
from producer.pubsub.connection import emulator_channel
from producer.pubsub.errors import client_errors

ACKNOWLEDGING: Final = (102, 200, 201, 202, 204)
PUSH_LIMIT_S: Final = 600.0
PUBLISH_LIMIT_S: Final = 30.0
REORDER_WINDOW: Final = 64
"""Messages at hand from which the next one is drawn."""
LEASE_S: Final = 60
"""For how long a message is held at a time, in whole seconds. The client's 10 s run out on a busy machine:
what was acknowledged comes again then, beside what was ordered to."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, each as a share of the messages, in [0, 1].

    Args:
        duplicate: posted twice, at the same time.
        lost_ack: acknowledged by the worker, and delivered again all the same.
        reorder: draw the next message by lot.
        seed: of the lots.
    """

    duplicate: float = 0.0
    lost_ack: float = 0.0
    reorder: bool = False
    seed: int = 1


@dataclass(slots=True)
class Counts:
    """What a relay has done so far.

    Args:
        statuses: answers by status; 0 stands for none.
        acknowledged: messages that are done with, each counted once: one whose lease ran out comes again.
        dead: of them, those that went to the dead-letter topic.
        duplicated: messages posted twice at once.
        redelivered: messages delivered again although the worker had acknowledged them.
        most_in_flight: most pushes at the same time.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: int = 0
    dead: int = 0
    duplicated: int = 0
    redelivered: int = 0
    most_in_flight: int = 0


@dataclass(frozen=True, slots=True)
class PushSettings:
    """How a relay pushes.

    Args:
        url: where to.
        token: makes the token of a push; None: none is sent.
        in_flight: pushes at the same time.
        max_attempts: refusals until a message is dead; None: no limit.
        backoff_s: pause after a refusal.
        faults: what goes wrong.
    """

    url: str
    token: Callable[[], str] | None = None
    in_flight: int = 8
    max_attempts: int | None = None
    backoff_s: float = 0.05
    faults: Faults = Faults()


class Relay:
    """Pushes what one pull subscription holds, while it is entered.

    Args:
        address: of the topic, on an emulator.
        subscription: short name of the pull subscription.
        settings: how it pushes.
        name: what pushes and dead letters say that the subscription is called (default: its name).
    """

    def __init__(
        self, address: PubSubAddress, subscription: str, settings: PushSettings, *, name: str = ""
    ) -> None:
        self.counts = Counts()
        self._address = address
        self._path = address.subscription_path(subscription)
        self._settings = settings
        self._name = name or subscription
        self._lots = random.Random(settings.faults.seed)
        self._attempts: Counter[str] = Counter()
        self._settled: set[str] = set()
        self._waiting: list[Any] = []
        self._changed = threading.Condition()
        self._in_flight = 0
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Relay:
        from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
        from google.cloud.pubsub_v1.types import FlowControl
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
        from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

        self._publisher = PublisherClient(transport=PublisherGrpcTransport(channel=self._channel()))
        self._subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel()))
        window = REORDER_WINDOW if self._settings.faults.reorder else 1
        flow = FlowControl(
            max_messages=max(window, self._settings.in_flight), min_duration_per_lease_extension=LEASE_S
        )
        self._stream = self._subscriber.subscribe(self._path, self._take, flow_control=flow)
        self._threads = [
            threading.Thread(target=self._push_all, daemon=True) for _ in range(self._settings.in_flight)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(PUSH_LIMIT_S)
        # As far as the stream is open still; what it does not send any more waits for the end of its lease.
        for message in self._waiting:
            message.nack()
        self._stream.cancel()
        self._stream.result(PUBLISH_LIMIT_S)
        self._subscriber.close()
        self._publisher.stop()

    def _channel(self) -> Any:
        return emulator_channel(self._address)

    def _take(self, message: Any) -> None:
        with self._changed:
            if not self._stopping:
                self._waiting.append(message)
                self._changed.notify()
                return
        message.nack()

    def _next(self) -> Any:
        """The next message; None when the relay stops."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if self._stopping:
                return None
            reorder = self._settings.faults.reorder
            return self._waiting.pop(self._lots.randrange(len(self._waiting)) if reorder else 0)

    def _push_all(self) -> None:
        while (message := self._next()) is not None:
            self._deliver(message)

    def _deliver(self, message: Any) -> None:
        with self._changed:
            self._attempts[message.message_id] += 1
            attempt = self._attempts[message.message_id]
            twice = self._lots.random() < self._settings.faults.duplicate
            lose = self._lots.random() < self._settings.faults.lost_ack
            self.counts.duplicated += twice
        if self._push(message, attempt, twice=twice):
            if lose:
                self._count("redelivered")
                message.nack()
            else:
                self._done(message)
            return
        limit = self._settings.max_attempts
        if limit is not None and attempt >= limit and self._forward(message, attempt):
            self._count("dead")
            self._done(message)
            return
        time.sleep(self._settings.backoff_s)
        message.nack()

    def _push(self, message: Any, attempt: int, *, twice: bool) -> bool:
        """Post it, once or twice at the same time; True if one answer acknowledges it."""
        body = push_body(_pubsub_json(message), self._address.subscription_path(self._name), attempt)
        answers: list[int] = []
        second = threading.Thread(target=lambda: answers.append(self._post(body)))
        if twice:
            second.start()
        answers.append(self._post(body))
        if twice:
            second.join()
        return any(status in ACKNOWLEDGING for status in answers)

    def _post(self, body: bytes) -> int:
        headers = {"Content-Type": "application/json"}
        if self._settings.token:
            headers["Authorization"] = f"Bearer {self._settings.token()}"
        self._count_in_flight(1)
        try:
            # A worker of several processes closes each connection: a pool of them would gain nothing.
            answer = requests.post(self._settings.url, data=body, headers=headers, timeout=PUSH_LIMIT_S)
            status = answer.status_code
        except requests.RequestException:
            status = 0
        self._count_in_flight(-1)
        with self._changed:
            self.counts.statuses[status] += 1
        return status

    def _forward(self, message: Any, attempts: int) -> bool:
        """Publish it on the dead-letter topic, as Pub/Sub does; False if that failed.

        Source: https://cloud.google.com/pubsub/docs/handling-failures#track-delivery-attempts
        """
        attributes = {
            **message.attributes,
            COUNT_ATTRIBUTE: str(attempts),
            SOURCE_ATTRIBUTE: self._name,
            "CloudPubSubDeadLetterSourceSubscriptionProject": self._address.project,
            "CloudPubSubDeadLetterSourceTopicPublishTime": rfc3339(message.publish_time),
        }
        topic = self._address.dead_letter_topic_path
        try:
            self._publisher.publish(topic, message.data, **attributes).result(PUBLISH_LIMIT_S)
        except client_errors():
            return False
        return True

    def _done(self, message: Any) -> None:
        message.ack()
        with self._changed:
            self._settled.add(message.message_id)
            self.counts.acknowledged = len(self._settled)

    def _count(self, name: str) -> None:
        with self._changed:
            setattr(self.counts, name, getattr(self.counts, name) + 1)

    def _count_in_flight(self, change: int) -> None:
        with self._changed:
            self._in_flight += change
            self.counts.most_in_flight = max(self.counts.most_in_flight, self._in_flight)


def _pubsub_json(message: Any) -> dict[str, Any]:
    stamp = rfc3339(message.publish_time)
    return {
        "data": base64.b64encode(message.data).decode("ascii"),
        "attributes": dict(message.attributes),
        "messageId": message.message_id,
        "message_id": message.message_id,
        "publishTime": stamp,
        "publish_time": stamp,
    }
