"""The Pub/Sub side of a broker URL: which topic, where, and what the subscriptions around it are called.

`pubsub://PROJECT/TOPIC`, and with an emulator `pubsub://local/diptych-tasks?emulator=127.0.0.1:7433`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from pipeline.errors import SettingsError
from results.targets import Target

PUBSUB_SCHEME: Final = "pubsub://"
EMULATOR_VARIABLE: Final = "PUBSUB_EMULATOR_HOST"
"""What Google's own clients read. The URL's query wins over it."""

ACK_DEADLINE_S: Final = 600
"""The longest that Pub/Sub offers: a task is sized to stay far below it."""
MIN_BACKOFF_S: Final = 10
MAX_BACKOFF_S: Final = 600
MAX_DELIVERY_ATTEMPTS: Final = 100
"""The most that Pub/Sub offers: being busy counts as an attempt there, and healthy work must not be lost."""
RETENTION_DAYS: Final = 7
RETENTION_S: Final = RETENTION_DAYS * 24 * 3600

_PROJECT: Final = re.compile(r"(?:[a-z0-9][a-z0-9.-]*:)?[a-z][a-z0-9-]{3,28}[a-z0-9]")
"""Old projects have a domain before a colon."""
_TOPIC: Final = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}")
_EMULATOR: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_TASKS: Final = "-tasks"
_USE: Final = "use pubsub://PROJECT/TOPIC, with an emulator pubsub://PROJECT/TOPIC?emulator=HOST:PORT"


@dataclass(frozen=True, slots=True)
class PubSubAddress:
    """Where tasks go.

    Args:
        project: the Google Cloud project's id.
        topic: the topic's short name.
        emulator: "host:port", or "" for the real service.
    """

    project: str
    topic: str
    emulator: str = ""

    @classmethod
    def parse(cls, url: str, environ: Mapping[str, str] | None = None) -> PubSubAddress:
        """Read a broker URL.

        Args:
            url: `pubsub://PROJECT/TOPIC[?emulator=HOST:PORT]`.
            environ: where PUBSUB_EMULATOR_HOST is looked for (default: the process's environment).
        Raises:
            SettingsError: the URL, or the variable, is not of that form; the text says what is wrong.
        """
        try:
            parts = urlsplit(url)
            query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError as error:
            raise _bad(url, str(error)) from error
        if not url.startswith(PUBSUB_SCHEME) or parts.fragment:
            raise _bad(url, "not of that form")
        topic = parts.path.removeprefix("/")
        if not _PROJECT.fullmatch(parts.netloc):
            raise _bad(url, f"{parts.netloc!r} is no project id")
        if not _TOPIC.fullmatch(topic):
            raise _bad(url, f"{topic!r} is no topic name")
        unknown = sorted(query.keys() - {"emulator"})
        if unknown:
            raise _bad(url, f"{unknown[0]!r} is unknown there")
        if "emulator" in query:
            return cls(parts.netloc, topic, _checked_emulator(query["emulator"], f"broker URL {url[:200]!r}"))
        variable = (os.environ if environ is None else environ).get(EMULATOR_VARIABLE, "")
        return cls(parts.netloc, topic, _checked_emulator(variable, EMULATOR_VARIABLE) if variable else "")

    @property
    def url(self) -> str:
        """The broker URL that names all of this."""
        query = f"?emulator={self.emulator}" if self.emulator else ""
        return f"{PUBSUB_SCHEME}{self.project}/{self.topic}{query}"

    @property
    def topic_path(self) -> str:
        """E.g. `projects/local/topics/diptych-tasks`."""
        return f"projects/{self.project}/topics/{self.topic}"

    @property
    def dead_letter_topic(self) -> str:
        """The short name of the topic that takes what was given up: `diptych-dead-letters`."""
        return f"{self._stem}-dead-letters"

    @property
    def dead_letter_topic_path(self) -> str:
        """E.g. `projects/local/topics/diptych-dead-letters`."""
        return f"projects/{self.project}/topics/{self.dead_letter_topic}"

    @property
    def dead_letter_push(self) -> str:
        """The subscription that posts dead letters to the container's `/dead-letter`."""
        return f"{self.dead_letter_topic}-push"

    @property
    def dead_letter_pull(self) -> str:
        """The subscription that keeps dead letters in reserve, for `diptych dlq`."""
        return f"{self.dead_letter_topic}-pull"

    def push_subscription(self, target: Target) -> str:
        """The subscription that pushes to a target: `diptych-container`, `diptych-function`."""
        return f"{self._stem}-{target}"

    def subscription_path(self, name: str) -> str:
        """E.g. `projects/local/subscriptions/diptych-container`."""
        return f"projects/{self.project}/subscriptions/{name}"

    @property
    def _stem(self) -> str:
        return self.topic.removesuffix(_TASKS) or self.topic


def is_pubsub(broker_url: str) -> bool:
    """True if the URL names a Pub/Sub topic."""
    return broker_url.startswith(PUBSUB_SCHEME)


def _checked_emulator(address: str, source: str) -> str:
    match = _EMULATOR.fullmatch(address)
    if not match or not 0 < int(match[1]) < 65536:
        raise SettingsError(
            f"bad emulator address {address[:100]!r} in {source}: use HOST:PORT, e.g. 127.0.0.1:7433"
        )
    return address


def _bad(url: str, why: str) -> SettingsError:
    return SettingsError(f"bad broker URL {url[:200]!r} ({why}): {_USE}")
