"""Opens the publisher that a broker URL names."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.pubsub_settings import is_pubsub
from pipeline.settings import Settings
from pipeline.tracing import trace_publishing
from producer.publisher import Publisher
from results.documents import Target


def open_publisher(settings: Settings) -> Publisher:
    """Open the queue behind `settings.broker_url`. No connection is made yet.

    Raises:
        SettingsError: there is no broker URL, or it is of no known form; or tracing is not installed.
    """
    if is_pubsub(settings.require_broker_url()):
        from producer.pubsub_publisher import PubSubPublisher

        return PubSubPublisher(settings, tracing=trace_publishing(settings))
    from producer.celery_publisher import CeleryPublisher

    return CeleryPublisher(settings)


def check_broker_reaches(settings: Settings, targets: Sequence[Target]) -> None:
    """Check the broker's URL and that it leads to every target; asked before a job is written.

    Raises:
        SettingsError: as `open_publisher`.
        RequestError: target celery, on Pub/Sub.
    """
    if is_pubsub(settings.require_broker_url()):
        from producer.pubsub_targets import check_targets

        check_targets([targets])
