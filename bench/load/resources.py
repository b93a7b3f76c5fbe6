"""CPU and memory of a worker, all its processes together, and of the generator, at a steady beat."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from bench.runs.rows import RawRow


@dataclass(frozen=True, slots=True)
class Usage(RawRow):
    """What was used since the last sample.

    Args:
        target: whose.
        at_s: since the run's start.
        cpu_cores: CPU time by wall time.
        rss_bytes: resident memory at the end; what processes share counts for each.
        processes: how many.
        generator_cpu_cores: of the process that sends.
    """

    target: str
    at_s: float
    cpu_cores: float
    rss_bytes: int
    processes: int
    generator_cpu_cores: float


class ResourceSampler:
    """Looks at a process and its children while it is entered.

    Args:
        target: its name.
        pid: main process.
        interval_s: between samples.
        origin: what points in time count from (time.perf_counter).
        seen: called with each sample, in this object's thread.
    """

    def __init__(
        self, target: str, pid: int, interval_s: float, origin: float, seen: Callable[[Usage], None]
    ) -> None:
        self._target, self._pid, self._interval_s = target, pid, interval_s
        self._origin, self._seen = origin, seen
        self._cpu_s: dict[tuple[int, float], float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{target} resources", daemon=True)

    def __enter__(self) -> ResourceSampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        self._look()
        last, own = time.perf_counter(), time.process_time()
        stopping = False
        while not stopping:
            stopping = self._stop.wait(self._interval_s)
            used_s, rss, processes = self._look()
            now, own_now = time.perf_counter(), time.process_time()
            span = now - last
            if span > 0:
                own_share = (own_now - own) / span
                self._seen(Usage(self._target, now - self._origin, used_s / span, rss, processes, own_share))
            last, own = now, own_now

    def _look(self) -> tuple[float, int, int]:
        """CPU seconds since the last look, resident bytes, processes; what has ended is left out."""
        used_s, rss, seen = 0.0, 0, 0
        for process in _tree(self._pid):
            try:
                key = (process.pid, process.create_time())
                times = process.cpu_times()
                rss += process.memory_info().rss
            except psutil.Error:
                continue
            total = times.user + times.system
            used_s += total - self._cpu_s.get(key, 0.0)
            self._cpu_s[key] = total
            seen += 1
        return used_s, rss, seen


def _tree(pid: int) -> list[psutil.Process]:
    try:
        main = psutil.Process(pid)
        return [main, *main.children(recursive=True)]
    except psutil.Error:
        return []
