"""Jobs through a deployed topic: what must be named, and by how much the store's clock is ahead of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from bench.cloud.metrics import Window
from bench.cloud.services import services_of_topic
from bench.cloud.targets import deployed_store, deployed_title, stand_ins
from bench.errors import BenchError
from bench.queue.follow import Flight
from pipeline.config.pubsub_settings import PubSubAddress, is_pubsub
from pipeline.config.settings import Settings, load_settings
from results.errors import StoreError
from results.naming import manifest_name
from results.stores.base import Store
from results.targets import Target

APART_S: Final = 0.05
"""Clocks that differ by more are reported."""
_LOOKED_AT: Final = 20


def deployed_settings(broker_url: str, store_url: str) -> Settings:
    """Where a deployment's jobs go. Flags beat DIPTYCH_BROKER_URL and DIPTYCH_STORE_URL.

    Args:
        broker_url: pubsub://PROJECT/TOPIC; "": of the environment.
        store_url: gs://BUCKET; "": likewise.
    Raises:
        BenchError: one is missing, or is of this machine.
        SettingsError: the broker's is not of that form.
        StoreError: the store cannot be read.
    """
    settings = load_settings(broker_url=broker_url or None, store_url=store_url or None)
    if not settings.broker_url:
        raise BenchError(
            "--cloud needs the deployed topic: --broker pubsub://PROJECT/TOPIC or DIPTYCH_BROKER_URL, as"
            " `diptych deploy` prints it"
        )
    if not is_pubsub(settings.broker_url):
        raise BenchError(
            f"{settings.broker_url} is no topic that a deployment listens to: give pubsub://PROJECT/TOPIC, or"
            " leave --cloud out"
        )
    settings.require_broker_url()
    deployed_store(settings.store_url)
    return settings


def title(settings: Settings, targets: Sequence[Target]) -> str:
    """What was measured, in words that claim no more."""
    address = PubSubAddress.parse(settings.broker_url)
    local = [*stand_ins((), settings.store_url), *([address.emulator] if address.emulator else [])]
    return deployed_title(f"Jobs through {address.topic} to {' and '.join(targets)}", local)


def windows(
    settings: Settings, targets: Sequence[Target], started_s: float, ended_s: float
) -> dict[str, Window]:
    """What Cloud Monitoring is to be asked of each target."""
    services = services_of_topic(PubSubAddress.parse(settings.broker_url))
    return {target: Window(services[target], started_s, ended_s) for target in targets}


def clocks(store: Store, flights: Sequence[Flight], origin: float) -> dict[str, Any]:
    """By how much the store's clock is ahead of ours: a job's manifest was made while it was submitted.

    Args:
        store: of the jobs.
        flights: submitted jobs; a few of them are looked at.
        origin: the run's start (time.monotonic).
    Returns:
        `ahead_s`: between which two values; {} if no manifest can be read, or they contradict one another.
    """
    low, high, seen = float("-inf"), float("inf"), 0
    for flight in flights[:: max(1, len(flights) // _LOOKED_AT)]:
        created = _created(store, flight.manifest.job_id)
        if created is None:
            continue
        begun_s = flight.ahead_s + origin + float(flight.head["sent_s"])
        created_s, seen = created.timestamp(), seen + 1
        low = max(low, created_s - (begun_s + float(flight.head["submit_s"])))
        high = min(high, created_s - begun_s)
    return {"ahead_s": [low, high], "jobs": seen} if seen and low <= high else {}


def clock_lines(clocks_seen: Mapping[str, Any]) -> list[str]:
    """A sentence if the clocks differ for certain."""
    if not clocks_seen:
        return []
    low, high = clocks_seen["ahead_s"]
    if low <= APART_S and high >= -APART_S:
        return []
    return [
        f"CLOCKS DIFFER: the store's is ahead of this machine's by {low:+.2f} to {high:+.2f} s, and round"
        " trips and publish times hold that."
    ]


def _created(store: Store, job_id: str) -> datetime | None:
    try:
        info = store.stat(manifest_name(job_id))
    except StoreError:
        return None
    return info.created_at if info else None
