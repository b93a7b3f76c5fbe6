"""The producer's connection to the Celery broker, and what its errors are called.

celery is imported when somebody connects: it costs a fifth of a second that `--help` need not pay.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.config.celery_settings import celery_config
from pipeline.config.settings import Settings
from pipeline.errors import BrokerError

CONNECT_TRIES: Final = 2
SAFE_POLICY: Final = "noeviction"
"""With it a broker whose memory is short refuses messages; with any other it forgets some in silence."""
JOBS_KEY: Final = "diptych-jobs"
"""A set in the broker: the jobs that were published there. An audit must not miss in one broker what was
published through another, though both may serve the same store."""


def connect(settings: Settings) -> tuple[Any, Any]:
    """Connect to the broker.

    Args:
        settings: its `broker_url` must be set.
    Returns:
        A Celery app that knows no tasks, and its open connection, which the caller releases.
    Raises:
        BrokerError: the broker does not answer, or its URL makes no sense.
    """
    from celery import Celery
    from kombu.exceptions import KombuError

    app = Celery("diptych", set_as_current=False)
    app.conf.update(celery_config(settings))
    try:
        connection = app.connection_for_write()
        connection.ensure_connection(max_retries=CONNECT_TRIES, interval_start=0.2, interval_step=0.2)
    except (KombuError, OSError) as error:
        raise BrokerError(
            f"the broker does not answer ({reason(settings, error)}): start the local stack with"
            " `diptych up`, or give --broker or DIPTYCH_BROKER_URL"
        ) from error
    except (KeyError, ValueError) as error:
        # So kombu takes a scheme or a port that it does not know.
        raise BrokerError(f"bad broker URL ({error.args[0]}): use redis://host:port/0") from error
    return app, connection


def eviction_warning(connection: Any) -> str:
    """Say that a Redis drops messages when its memory is short; "" if it does not, or does not tell."""
    if not is_redis(connection):
        return ""
    channel = connection.default_channel
    try:
        with channel.conn_or_acquire() as client:
            policy = client.info("memory").get("maxmemory_policy", SAFE_POLICY)
    except channel.ResponseError:
        return ""
    if policy == SAFE_POLICY:
        return ""
    return (
        f"the broker's eviction policy is {policy}: it drops tasks when its memory is short;"
        f" `redis-cli CONFIG SET maxmemory-policy {SAFE_POLICY}` (or in redis.conf) mends it"
    )


def errors_of(connection: Any) -> tuple[type[BaseException], ...]:
    """What a broken connection or a refused command raises."""
    from kombu.exceptions import KombuError

    return (KombuError, *connection.connection_errors, *connection.channel_errors)


def is_redis(connection: Any) -> bool:
    """True if the broker is a Redis or Valkey, whose keys can be read."""
    return bool(connection.transport.driver_type == "redis")


def reason(settings: Settings, error: BaseException) -> str:
    """The innermost cause, and where the broker is; the URL without its password."""
    from kombu.utils.url import maybe_sanitize_url

    while error.__cause__ is not None:
        error = error.__cause__
    return f"{maybe_sanitize_url(settings.broker_url)}: {error or type(error).__name__}"
