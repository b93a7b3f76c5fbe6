"""Publish to Pub/Sub in batches: one message per task, whatever the number of its targets."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from pipeline.config.pubsub_settings import PubSubAddress
from pipeline.config.settings import Settings
from pipeline.protocol.task_message import MAX_MESSAGE_BYTES, TaskMessage
from producer.pubsub.connection import emulator_channel, fresh_credentials
from producer.pubsub.errors import broker_error, client_errors
from producer.pubsub.targets import check_targets

BATCH_MESSAGES: Final = 250
"""Messages per request; Pub/Sub accepts 1000 and 10 MB."""
BATCH_BYTES: Final = 4_000_000
BATCH_WAIT_S: Final = 0.01
MAX_PENDING_MESSAGES: Final = 1000
"""Unacknowledged messages at which `publish` blocks, so that memory stays bounded."""
MAX_PENDING_BYTES: Final = MAX_PENDING_MESSAGES * (MAX_MESSAGE_BYTES + 1024)
DEADLINE_S: Final = 60.0
"""How long a batch with a transient error is retried."""
EMULATOR_DEADLINE_S: Final = 15.0
"""Shorter: on one machine there is no network to wait for."""
ATTEMPT_S: Final = 20.0
"""Timeout of one attempt: a hanging connection must not use up the deadline."""


class PubSubPublisher:
    """Publishes to a topic.

    Args:
        settings: `broker_url` must be a `pubsub://` URL.
        deadline_s: retry deadline; None: DEADLINE_S, or EMULATOR_DEADLINE_S.
        tracing: add the current OpenTelemetry context to each message's attributes
            (`googclient_traceparent`), and create a span for each; needs the `tracing` extra.
    Raises:
        SettingsError: the broker URL is not a `pubsub://` URL.
    """

    def __init__(self, settings: Settings, *, deadline_s: float | None = None, tracing: bool = False) -> None:
        self.address = PubSubAddress.parse(settings.broker_url)
        usual_s = EMULATOR_DEADLINE_S if self.address.emulator else DEADLINE_S
        self._deadline_s = usual_s if deadline_s is None else deadline_s
        self._tracing = tracing
        self._client: Any = None

    def publish(self, tasks: Sequence[TaskMessage]) -> None:
        """See Publisher.

        Raises:
            RequestError: a task is for a target that Pub/Sub does not reach; nothing is published.
        """
        check_targets(task.targets for task in tasks)
        if self._client is None:
            self._client = self._connect()
        limit = time.monotonic() + self._deadline_s + ATTEMPT_S
        try:
            acknowledged = [
                self._client.publish(self.address.topic_path, task.encode(), **task.attributes())
                for task in tasks
            ]
            for future in acknowledged:
                future.result(timeout=max(limit - time.monotonic(), 0.0))
        except client_errors() as error:
            raise broker_error(error, self.address) from error

    def close(self) -> None:
        """See Publisher."""
        if self._client is not None:
            client, self._client = self._client, None
            client.stop()
            client.transport.close()

    def _connect(self) -> Any:
        place: dict[str, Any]
        if self.address.emulator:
            channel = emulator_channel(self.address)
            from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

            place = {"transport": PublisherGrpcTransport(channel=channel)}
        else:
            place = {"credentials": fresh_credentials(self.address)}
        from google.cloud.pubsub_v1 import PublisherClient

        return PublisherClient(**_options(self._deadline_s, self._tracing), **place)


def _options(deadline_s: float, tracing: bool) -> dict[str, Any]:
    from google.api_core.timeout import ConstantTimeout
    from google.cloud.pubsub_v1.types import (
        BatchSettings,
        LimitExceededBehavior,
        PublisherOptions,
        PublishFlowControl,
    )

    return {
        "batch_settings": BatchSettings(
            max_messages=BATCH_MESSAGES, max_bytes=BATCH_BYTES, max_latency=BATCH_WAIT_S
        ),
        "publisher_options": PublisherOptions(
            enable_message_ordering=False,
            flow_control=PublishFlowControl(
                message_limit=MAX_PENDING_MESSAGES,
                byte_limit=MAX_PENDING_BYTES,
                limit_exceeded_behavior=LimitExceededBehavior.BLOCK,
            ),
            retry=_retry(deadline_s),
            timeout=ConstantTimeout(min(ATTEMPT_S, deadline_s)),  # type: ignore[no-untyped-call]
            enable_open_telemetry_tracing=tracing,
        ),
    }


def _retry(deadline_s: float) -> Any:
    """Retry transient errors. A batch that had arrived is published twice: delivery is at least once."""
    from google.api_core import exceptions
    from google.api_core.retry import Retry, if_exception_type

    transient = if_exception_type(
        exceptions.Aborted,
        exceptions.Cancelled,
        exceptions.DeadlineExceeded,
        exceptions.InternalServerError,
        exceptions.ResourceExhausted,
        exceptions.ServiceUnavailable,
        exceptions.Unknown,
    )
    return Retry(predicate=transient, initial=0.1, maximum=10.0, multiplier=2.0, timeout=deadline_s)
