"""Becomes the Celery worker that serves DIPTYCH_TARGET's queue with DIPTYCH_COURIERS deliveries at once."""

from __future__ import annotations

import os
import sys
from typing import get_args

from pipeline.config.celery_settings import worker_argv
from results.documents import Target


def main() -> None:
    """Check the two variables and hand over to Celery."""
    target = os.environ.get("DIPTYCH_TARGET", "")
    couriers = os.environ.get("DIPTYCH_COURIERS", "1")
    if target not in get_args(Target):
        sys.exit(f"error: DIPTYCH_TARGET is {target!r}: use one of {', '.join(get_args(Target))}")
    if not couriers.isdecimal() or not int(couriers):
        sys.exit(f"error: DIPTYCH_COURIERS is {couriers!r}: use a whole number from 1")
    os.execv(sys.executable, [sys.executable, *worker_argv(target, int(couriers))])  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
