"""Which Cloud Run service is meant: by its address, or by the topic that feeds it (deploy/deployment.py)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pipeline.config.pubsub_settings import PubSubAddress
from results.targets import PUSHED_TARGETS, Target

# https://cloud.google.com/run/docs/triggering/https-request#urls: a service has an address of either form,
# with a tag's name before it or not. A function of the second generation has one of its own as well.
_BY_NUMBER: Final = re.compile(r"(?:.+---)?([a-z][a-z0-9-]*)-[0-9]+\.([a-z0-9-]+)\.run\.app")
_BY_HASH: Final = re.compile(r"(?:.+---)?([a-z][a-z0-9-]*)-[a-z0-9]{10}-[a-z]{2,3}\.a\.run\.app")
_FUNCTION: Final = re.compile(r"([a-z]+-[a-z]+[0-9]+)-[a-z][a-z0-9-]*\.cloudfunctions\.net")


@dataclass(frozen=True, slots=True)
class Service:
    """A service of Cloud Run; a function of the second generation runs as one of its own name.

    Args:
        name: of it.
        region: where; "": unknown, or any.
    """

    name: str
    region: str = ""


def service_of_url(url: str) -> Service | None:
    """The service that answers at an address; None for an address that Google did not give."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if found := _BY_NUMBER.fullmatch(host):
        return Service(found[1], found[2])
    if found := _BY_HASH.fullmatch(host):
        return Service(found[1])
    name = parts.path.strip("/").partition("/")[0]
    if (found := _FUNCTION.fullmatch(host)) and name:
        return Service(name, found[1])
    return None


def services_of_topic(address: PubSubAddress) -> dict[Target, Service]:
    """The services that a deployment's topic feeds: each has the name of its push subscription."""
    return {target: Service(address.push_subscription(target)) for target in PUSHED_TARGETS}
