"""What Pub/Sub does not support: the celery target, and a search for lost tasks."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.config.pubsub_settings import RETENTION_DAYS, is_pubsub
from pipeline.errors import RequestError
from producer.text import listed
from results.targets import PUSHED_TARGETS, Target


def check_targets(requested: Iterable[Iterable[Target]]) -> None:
    """Raise RequestError if Pub/Sub cannot reach one of the targets: Celery workers need Redis."""
    beyond = [target for targets in requested for target in targets if target not in PUSHED_TARGETS]
    if beyond:
        raise RequestError(
            f"Pub/Sub reaches the targets {listed(PUSHED_TARGETS)}, not {beyond[0]}: leave {beyond[0]} out,"
            " or give a Redis --broker"
        )


def refuse_search(broker_url: str, job_id: str) -> None:
    """Raise RequestError if the broker is Pub/Sub, whose queue cannot be searched."""
    if is_pubsub(broker_url):
        raise RequestError(
            f"--lost needs a Redis broker: Pub/Sub keeps a message for {RETENTION_DAYS} days or until a"
            f" target acknowledges it, and cannot be searched; `diptych resume {job_id} --stalled 15m`"
            " publishes stalled tasks again (--stalled 0s after a restart of the emulator)"
        )
