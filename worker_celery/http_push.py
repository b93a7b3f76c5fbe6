"""Plays the push subscription: posts to a target what Pub/Sub push posts, and reads the status as it does.

Reference: https://cloud.google.com/pubsub/docs/push (acknowledging status codes).
"""

from __future__ import annotations

import threading
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import requests

from pipeline.config.settings import Settings
from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import push_body
from worker_celery.push_response import PushResponse, PushResponseKind
from worker_celery.queued_delivery import QueuedDelivery

ACKNOWLEDGING: Final = frozenset({102, 200, 201, 202, 204})
BUSY: Final = frozenset({429, 503})
CONNECT_TIMEOUT_S: Final = 5.0


class HttpPush:
    """Posts queued deliveries, each on a connection of its own.

    A kept connection would tie its sender to one of a target's processes, though another may be free.

    Args:
        settings: the targets' URLs and `push_timeout_s`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._timeouts = (CONNECT_TIMEOUT_S, settings.push_timeout_s)
        self._local = threading.local()

    def push(self, queued_delivery: QueuedDelivery) -> PushResponse:
        """Post once and read the answer.

        Raises:
            SettingsError: the target's URL is not known.
        """
        url = self._settings.require_push_url(queued_delivery.target)
        subscription = f"projects/local/subscriptions/diptych-{queued_delivery.target}"
        body = push_body(queued_delivery.message, subscription, queued_delivery.delivery_number)
        try:
            response = self._session().post(
                url,
                data=body,
                headers={"Content-Type": "application/json", "Connection": "close"},
                timeout=self._timeouts,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return PushResponse(PushResponseKind.FAILED, f"no answer from {url}: {_innermost(error)}")
        return _read(response, url)

    def _session(self) -> requests.Session:
        """This thread's session: a requests.Session is not safe to share."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False  # a proxy from the environment has no business between local parts
        return session


def _read(response: requests.Response, url: str) -> PushResponse:
    status = response.status_code
    if status in ACKNOWLEDGING:
        return PushResponse(PushResponseKind.ACK)
    detail = f"{status} from {url}: {' '.join(response.text[:200].split())}"
    if status in BUSY:
        return PushResponse(
            PushResponseKind.BUSY, detail, _retry_after_s(response.headers.get("Retry-After"))
        )
    return PushResponse(PushResponseKind.FAILED, detail)


def _retry_after_s(value: str | None) -> float | None:
    """Read the header: seconds, or an HTTP date (RFC 9110, 10.2.3); None if it is missing or neither."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - utc_now()).total_seconds())


def _innermost(error: BaseException) -> str:
    """requests wraps urllib3 wraps the socket's error, which alone says what happened."""
    while True:
        inner = error.__cause__ or error.__context__
        if inner is None:
            return f"{type(error).__name__}: {error}"
        error = inner
