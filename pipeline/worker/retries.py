"""Why a delivery is given back, when to try again, and whether it counts as an attempt."""

from __future__ import annotations

from typing import Final

from pipeline.errors import CacheError
from pipeline.protocol.outcomes import Outcome, Result
from results.errors import StoreError

BUSY_RETRY_S: Final = 1.0
STORE_RETRY_S: Final = 5.0
GIVEN_BACK_RETRY_S: Final = 1.0


def store_retry(error: StoreError) -> Result:
    """The store failed. One that is away is waited for; one that refuses for good counts as a fault."""
    if error.transient:
        return Result(Outcome.RETRY, "store_unavailable", str(error), retry_after_s=STORE_RETRY_S)
    return Result(Outcome.RETRY, "store_refused", str(error), at_fault=True)


def out_of_memory() -> Result:
    """Another instance may have more; a task that no instance can hold must end."""
    return Result(Outcome.RETRY, "out_of_memory", "out of memory: give the worker more", at_fault=True)


def no_cache(error: CacheError) -> Result:
    """Another instance may have room for the model; a task that no instance can serve must end."""
    return Result(Outcome.RETRY, "model_cache_unusable", str(error), at_fault=True)


def shutting_down() -> Result:
    """The worker is going away."""
    return Result(Outcome.RETRY, "draining", "this worker is stopping", retry_after_s=GIVEN_BACK_RETRY_S)


def deadline(elapsed_s: float, images_painted: int) -> Result:
    """The delivery is near its deadline. It counts as an attempt only if it got nothing done.

    Args:
        elapsed_s: the delivery's age.
        images_painted: what it has stored; the next delivery finds it.
    """
    detail = f"given back after {elapsed_s:.0f} s with {images_painted} images generated"
    return Result(
        Outcome.RETRY,
        "deadline",
        detail,
        retry_after_s=GIVEN_BACK_RETRY_S if images_painted else None,
        at_fault=not images_painted,
    )
