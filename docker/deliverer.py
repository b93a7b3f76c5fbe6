"""Becomes the Celery worker that serves DIPTYCH_TARGET's queue with DIPTYCH_DELIVERERS deliveries at once."""

from __future__ import annotations

import os
import sys

from pipeline.config.celery_settings import worker_argv
from results.targets import TARGETS


def main() -> None:
    """Check the two variables and hand over to Celery."""
    target = os.environ.get("DIPTYCH_TARGET", "")
    deliverers = os.environ.get("DIPTYCH_DELIVERERS", "1")
    if target not in TARGETS:
        sys.exit(f"error: DIPTYCH_TARGET is {target!r}: use one of {', '.join(TARGETS)}")
    if not deliverers.isdecimal() or not int(deliverers):
        sys.exit(f"error: DIPTYCH_DELIVERERS is {deliverers!r}: use a whole number from 1")
    os.execv(sys.executable, [sys.executable, *worker_argv(target, int(deliverers))])  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
