"""What the generator itself can do: requests per second and lag, against a server that does nothing."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
import pycurl

from bench.load.generator.load_generator import LoadGenerator
from bench.load.generator.sample import Sample
from bench.load.generator.schedule import LoadPlan
from bench.load.generator.transfer import Transfer
from bench.load.generator.trivial_server import trivial_server

_BODY = b"{" + b" " * 700 + b"}"
"""About as long as a push."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What was measured.

    Args:
        way: "multi": one thread; "threads": one per user.
        users: at the same time.
        requests_per_s: answered.
        lag_p99_s: 99th percentile of the generator's own delay; None where it is not measured.
        cpu_share: of one core; well below 1 says that the server was the limit, and the ceiling is higher.
    """

    way: str
    users: int
    requests_per_s: float
    lag_p99_s: float | None
    cpu_share: float


def measure_ceiling(users: int, duration_s: float = 2.0) -> Ceiling:
    """Closed load of so many users, by the generator that `load` uses.

    Raises:
        BenchError: the server did not start.
    """
    lags: list[float] = []

    def seen(sample: Sample) -> None:
        lags.append(sample.lag_s)

    with trivial_server() as url:
        plan = LoadPlan(duration_s=duration_s, users=users)
        account = LoadGenerator(url, "ceiling", plan, lambda _task, _attempt: _BODY, seen).run()
    return Ceiling(
        "multi",
        users,
        len(lags) / account.wall_s,
        float(np.percentile(lags, 99)) if lags else None,
        account.cpu_s / account.wall_s,
    )


def measure_threads(users: int, duration_s: float = 2.0) -> Ceiling:
    """The other way of doing it, a thread per user, for the choice between them.

    Raises:
        BenchError: the server did not start.
    """
    counts = [0] * users
    with trivial_server() as url:
        end = time.perf_counter() + duration_s

        def user(number: int) -> None:
            transfer = Transfer(url, 10.0)
            while time.perf_counter() < end:
                transfer.prepare(_BODY, [])
                transfer.handle.perform()
                transfer.handle.getinfo(pycurl.TOTAL_TIME)
                counts[number] += 1
            transfer.close()

        began, cpu_s = time.perf_counter(), time.process_time()
        threads = [threading.Thread(target=user, args=(number,)) for number in range(users)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall_s = time.perf_counter() - began
    return Ceiling("threads", users, sum(counts) / wall_s, None, (time.process_time() - cpu_s) / wall_s)
