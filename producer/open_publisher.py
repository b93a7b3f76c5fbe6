"""Opens the publisher that a broker URL names."""

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
from results.documents import Target

ResultT = TypeVar("ResultT")


def open_publisher(settings: Settings) -> Publisher:
    """Open the queue behind `settings.broker_url`. No connection is made yet.

    Raises:
        SettingsError: there is no broker URL, or it is of no known form; or tracing is not installed.
    """
    if is_pubsub(settings.require_broker_url()):
        from producer.pubsub.publisher import PubSubPublisher

        return PubSubPublisher(settings, tracing=trace_publishing(settings))
    from producer.celery.publisher import CeleryPublisher

    return CeleryPublisher(settings)


def check_broker_reaches(settings: Settings, targets: Sequence[Target]) -> None:
    """Check the broker's URL and that it leads to every target; asked before a job is written.

    Raises:
        SettingsError: as `open_publisher`.
        RequestError: target celery, on Pub/Sub.
    """
    if is_pubsub(settings.require_broker_url()):
        from producer.pubsub.targets import check_targets

        check_targets([targets])


def publishing(settings: Settings, action: Callable[[Publisher], ResultT]) -> ResultT:
    """Run an action with a publisher, closed afterwards; raises SettingsError if there is no broker."""
    with closing(open_publisher(settings)) as publisher:
        return action(publisher)


def republishing(settings: Settings, action: Callable[[Publisher], Republication]) -> Republication:
    """Like `publishing`, for what can be asked for again when the broker gives up half-way."""
    try:
        return publishing(settings, action)
    except BrokerError as error:
        raise BrokerError(
            f"{error}; what was acknowledged is safe, the same command does the rest"
        ) from error
