"""A topic of its own for each test on the Pub/Sub emulator, and a maker of tokens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.delivery.oidc_issuer import LocalIssuer
from pipeline.config.pubsub_settings import PubSubAddress
from tests.support.servers.pubsub_emulator import PubSubEmulator


@pytest.fixture
def address(emulator: PubSubEmulator) -> PubSubAddress:
    """A topic with a pull subscription for each push subscription that a deployment has."""
    found = emulator.new_address()
    emulator.make_topic(found)
    for name in ("diptych-container", "diptych-function", "stranger"):
        emulator.make_pull(found, name, found.topic_path)
    emulator.make_pull(found, found.dead_letter_push, found.dead_letter_topic_path)
    return found


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with LocalIssuer() as running:
        yield running
