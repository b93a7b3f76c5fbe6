"""Open the publisher for a broker URL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TypeVar

from pipeline.config.pubsub_settings import is_pubsub
from pipeline.config.settings import Settings
from pipeline.errors import BrokerError
from pipeline.telemetry.tracing import trace_publishing
from producer.publisher import Publisher
from producer.republish import Republication
from results.targets import Target

ResultT = TypeVar("ResultT")


def open_publisher(settings: Settings) -> Publisher:
    """Open the queue behind `settings.broker_url`. No connection is made yet.

    Raises:
        SettingsError: the broker URL is missing or of no known form, or tracing is not installed.
    """
    if is_pubsub(settings.require_broker_url()):
        from producer.pubsub.publisher import PubSubPublisher

        return PubSubPublisher(settings, tracing=trace_publishing(settings))
    from producer.celery.publisher import CeleryPublisher

    return CeleryPublisher(settings)


def check_broker_reaches(settings: Settings, targets: Sequence[Target]) -> None:
    """Check that the broker URL is valid and reaches every target; called before a job is written.

    Raises:
        SettingsError: see `open_publisher`.
        RequestError: target celery on Pub/Sub.
    """
    if is_pubsub(settings.require_broker_url()):
        from producer.pubsub.targets import check_targets

        check_targets([targets])


def publishing(settings: Settings, action: Callable[[Publisher], ResultT]) -> ResultT:
    """Run an action with a publisher, then close it; raises SettingsError if there is no broker URL."""
    with closing(open_publisher(settings)) as publisher:
        return action(publisher)


def republishing(settings: Settings, action: Callable[[Publisher], Republication]) -> Republication:
    """Like `publishing`, for actions that can be repeated if the broker fails half-way."""
    try:
        return publishing(settings, action)
    except BrokerError as error:
        raise BrokerError(
            f"{error}; acknowledged tasks are safe; run the command again to publish the rest"
        ) from error
