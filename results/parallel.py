"""Doing many slow, independent things in a few threads, in order and in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

THREADS: Final = 16
"""Requests to a bucket that are under way at once."""


def map_in_order(
    function: Callable[[ItemT], ResultT], items: Iterable[ItemT], *, threads: int = THREADS
) -> Iterator[ResultT]:
    """Yield `function(item)` for each item, in order; `items` may be endless.

    Args:
        function: called in a thread of its own; its first exception ends the iteration.
        items: taken only a little ahead of what has been yielded.
        threads: how many calls may run at once.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="results")
    under_way: deque[Future[ResultT]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(function, item))
            if len(under_way) >= 2 * threads:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
