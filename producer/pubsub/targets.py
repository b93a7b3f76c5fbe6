"""What a Redis broker offers and Pub/Sub does not: a Celery target, and a search for what is lost."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.config.pubsub_settings import RETENTION_DAYS, is_pubsub
from pipeline.errors import RequestError
from producer.text import listed
from results.targets import PUSHED_TARGETS, Target


def check_targets(wanted: Iterable[Iterable[Target]]) -> None:
    """Raise RequestError if Pub/Sub cannot reach one of the targets: a Celery worker listens to a Redis."""
    beyond = [target for targets in wanted for target in targets if target not in PUSHED_TARGETS]
    if beyond:
        raise RequestError(
            f"target {beyond[0]} cannot be reached through Pub/Sub, only {listed(PUSHED_TARGETS)} can:"
            " leave it out, or give the --broker of a Redis"
        )


def refuse_search(broker_url: str, job_id: str) -> None:
    """Raise RequestError if the broker is Pub/Sub, whose queue nobody can look into."""
    if is_pubsub(broker_url):
        raise RequestError(
            f"--lost searches a Redis broker; Pub/Sub keeps a message for {RETENTION_DAYS} days or until a"
            f" target has taken it, and shows none: if nothing moves, `diptych resume {job_id} --stalled 15m`"
            " publishes again what waits (--stalled 0s after a restart of the emulator, which keeps nothing)"
        )
