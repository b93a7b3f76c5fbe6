"""Keeps Google's emulators set up: topics, subscriptions, bucket.

The Pub/Sub emulator holds everything in memory: one that was started again has neither subscriptions nor
tasks. Here it gets back the former, and of the latter those that the store says have not ended.
"""

from __future__ import annotations

import http
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import requests

from local.addresses import Addresses
from local.pubsub.recovery import Window, republish_lost
from local.pubsub.topology import topology
from pipeline.config.pubsub_settings import PubSubAddress, is_pubsub
from pipeline.config.settings import Settings, load_settings
from pipeline.errors import BrokerError, SettingsError
from pipeline.protocol.clock import utc_now
from results.errors import StoreError
from results.stores.open import open_store
from results.targets import Target

POLL_S: Final = 1.0
LIMIT_S: Final = 5.0
SETTLING: Final = timedelta(seconds=1)
"""Whoever publishes while subscriptions are being made misses those that come after."""
FRESH: Final = Path("/tmp/set-up")
"""Touched whenever all is in place; the health check looks at its age."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAddresses(Addresses):
    """Where the services are under the names that compose gives them, instead of ports on 127.0.0.1."""

    settings: Settings
    workers: Mapping[Target, int] = field(default_factory=dict)

    @property
    def topic(self) -> PubSubAddress:
        """The emulator's topic."""
        return PubSubAddress.parse(self.settings.require_broker_url())

    def worker_url(self, target: Target) -> str:
        """Push endpoint of a target."""
        return self.settings.require_push_url(target)


class Emulators:
    """Both emulators, over their REST interfaces.

    Args:
        settings: with the addresses of broker, store and workers.
    """

    def __init__(self, settings: Settings) -> None:
        self._addresses = ServiceAddresses(settings=settings)
        store = urlsplit(settings.require_store_url())
        self._bucket = store.netloc
        self._gcs = parse_qs(store.query)["endpoint"][0]
        self._pubsub = f"http://{self._addresses.topic.emulator}"

    def have_topic(self) -> bool:
        """False if the Pub/Sub emulator has been started again. Raises OSError if it does not answer."""
        answer = requests.get(f"{self._pubsub}/v1/{self._addresses.topic.topic_path}", timeout=LIMIT_S)
        return answer.status_code == http.HTTPStatus.OK

    def set_up(self) -> bool:
        """Make what is not there.

        Returns:
            True if the Pub/Sub emulator lacked something, and so holds less than was published.
        Raises:
            OSError: one does not answer, or refuses.
        """
        _made("POST", f"{self._gcs}/storage/v1/b", {"name": self._bucket})
        made = [_made("PUT", f"{self._pubsub}/v1/{path}", body) for path, body in topology(self._addresses)]
        return any(made)


def _made(method: str, url: str, body: Mapping[str, Any]) -> bool:
    """Make one thing; return False if it was there."""
    answer = requests.request(method, url, json=body, timeout=LIMIT_S)
    if answer.status_code == http.HTTPStatus.CONFLICT:
        return False
    if answer.status_code != http.HTTPStatus.OK:
        raise OSError(f"{method} {url}: {answer.status_code} {answer.text[:200]}")
    return True


class Keeper:
    """Does once a second what is to be done.

    Args:
        settings: see Emulators.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._emulators = Emulators(settings)
        self._is_whole = False
        self._published_until: datetime | None = None
        self._complaint = ""

    def look(self) -> None:
        """One round; what is wrong is said, and tried again in the next."""
        try:
            self._mend()
            self._complaint = ""
            if self._published_until is None:
                FRESH.touch()
        except (OSError, BrokerError, StoreError) as error:
            self._is_whole = False
            if str(error) != self._complaint:
                self._complaint = str(error)
                print(f"waiting: {error}", file=sys.stderr)

    def _mend(self) -> None:
        if not (self._is_whole and self._emulators.have_topic()):
            self._is_whole = False
            if self._emulators.set_up():
                self._published_until = utc_now() + SETTLING
                print("topics and subscriptions were made")
            self._is_whole = True
        if self._published_until is not None and utc_now() > self._published_until:
            window = Window(None, self._published_until)
            store = open_store(self._settings.require_store_url())
            for line in republish_lost(store, self._settings, window):
                print(line)
            self._published_until = None


def main() -> None:
    """Look until SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        settings = load_settings()
        if not is_pubsub(settings.require_broker_url()):
            sys.exit(
                "error: say COMPOSE_PROFILES=pubsub in .env or in the shell: --profile tells only compose"
            )
        keeper = Keeper(settings)
    except SettingsError as error:
        sys.exit(f"error: {error}")
    while not ended.is_set():
        keeper.look()
        ended.wait(POLL_S)


if __name__ == "__main__":
    main()
