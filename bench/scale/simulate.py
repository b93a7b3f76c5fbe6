"""A SIMULATION of a job in a cloud, seeded: push with a slow start, cold starts, refusals at the limit.

The model: Pub/Sub push keeps a window of requests in flight. It begins with one, grows by one with each
success and halves at a refusal. A request takes an idle instance, else starts one, else is refused with 429
and comes back after a pause that doubles, as the deployed subscriptions are set. Instances have a CPU each,
generate one task at a time, and do not stop. Quotas, instances that die and slow neighbours
are not in it.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

LABEL: Final = "SIMULATION, not a measurement"
_BACKOFF_S: Final = (10.0, 600.0)


@dataclass(frozen=True, slots=True)
class Cloud:
    """What is assumed.

    Args:
        max_instances: of the target.
        cold_start_s: median of an instance's start; it spreads by a third (log-normal).
        overhead_s: of each request beside what was measured here.
        window: requests in flight at the start.
        max_window: and at most.
        slowness: a task takes so many times what it took here.
    """

    max_instances: int = 10
    cold_start_s: float = 15.0
    overhead_s: float = 0.3
    window: int = 1
    max_window: int = 3000
    slowness: float = 1.0


@dataclass(frozen=True, slots=True)
class SimulatedJob:
    """What came out.

    Args:
        tasks: all of them done.
        makespan_s: until the last one.
        instances: that were started, each with a cold start.
        refused: 429s.
        request_s: length of each served request, cold starts included.
    """

    tasks: int
    makespan_s: float
    instances: int
    refused: int
    request_s: Sequence[float]


def simulate(cloud: Cloud, tasks: int, measured_s: Sequence[float], seed: int) -> SimulatedJob:
    """Run a job of so many tasks; the same seed gives the same outcome.

    Args:
        cloud: what is assumed.
        tasks: how many, at least 1.
        measured_s: times of warm tasks, measured here: drawn from, with replacement.
        seed: of all draws.
    Raises:
        ValueError: nothing was measured.
    """
    if not len(measured_s):
        raise ValueError("no measured task to draw from")
    return _Simulation(cloud, tasks, measured_s, seed).run()


class _Simulation:
    """The state of one run; times in seconds."""

    def __init__(self, cloud: Cloud, tasks: int, measured_s: Sequence[float], seed: int) -> None:
        self._cloud = cloud
        self._lots = np.random.default_rng(seed)
        drawn = self._lots.choice(np.asarray(measured_s, dtype=np.float64), tasks)
        self._service_s: list[float] = (drawn * cloud.slowness + cloud.overhead_s).tolist()
        self._tasks = self._fresh = tasks
        self._window = float(cloud.window)
        self._ends: list[float] = []
        self._retries: list[tuple[float, int]] = []
        self._idle = self._instances = self._refused = 0
        self._request_s: list[float] = []

    def run(self) -> SimulatedJob:
        now = 0.0
        self._send(now)
        while self._ends or self._retries:
            may_retry = bool(self._retries) and len(self._ends) < int(self._window)
            if self._ends and not (may_retry and self._retries[0][0] < self._ends[0]):
                now = heapq.heappop(self._ends)
                self._idle += 1
                self._window = min(self._cloud.max_window, self._window + 1)
            else:
                now = max(now, self._retries[0][0])
            self._send(now)
        return SimulatedJob(self._tasks, now, self._instances, self._refused, self._request_s)

    def _send(self, now: float) -> None:
        """Send what the window lets through, until a refusal."""
        while len(self._ends) < int(self._window):
            attempt = self._next(now)
            if attempt is None:
                return
            starting_s = 0.0
            if self._idle:
                self._idle -= 1
            elif self._instances < self._cloud.max_instances:
                self._instances += 1
                starting_s = self._cloud.cold_start_s * float(np.exp(self._lots.normal(0, 1 / 3)))
            else:
                self._refuse(now, attempt)
                return
            spent_s = starting_s + self._service_s[len(self._request_s)]
            self._request_s.append(spent_s)
            heapq.heappush(self._ends, now + spent_s)

    def _next(self, now: float) -> int | None:
        """The attempt that is due: one that comes back, else a new task; None if there is none."""
        if self._retries and self._retries[0][0] <= now:
            return heapq.heappop(self._retries)[1]
        if self._fresh:
            self._fresh -= 1
            return 1
        return None

    def _refuse(self, now: float, attempt: int) -> None:
        self._refused += 1
        self._window = max(1.0, self._window / 2)
        least_s, most_s = _BACKOFF_S
        pause_s = min(most_s, least_s * 2 ** min(attempt - 1, 10)) * float(self._lots.uniform(0.8, 1.2))
        heapq.heappush(self._retries, (now + pause_s, attempt + 1))
