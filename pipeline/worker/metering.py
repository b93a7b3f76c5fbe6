"""What a delivery costs: measured on success and on failure alike."""

from __future__ import annotations

import resource
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self, TypedDict

import psutil

Stage = Literal["model_load", "generate", "encode", "store"]

RSS_SAMPLE_S = 0.05


class Work(TypedDict):
    """The fields of `results.documents.WorkMeter`."""

    process_s: float
    cpu_user_s: float
    cpu_system_s: float
    images_painted: int
    images_found: int


class Meter:
    """Measures one delivery, from `with Meter() as meter` to the end of the block.

    CPU seconds are those of the whole process meanwhile: a serving process generates one task at a time.
    Stage times are summed over threads, so encode and store may overlap with generate.

    Args:
        observe: told of each addition to a stage, as it is made.
    """

    def __init__(self, observe: Callable[[Stage, float], None] | None = None) -> None:
        self._observe = observe
        self.images_painted = 0
        self.images_found = 0
        self.rss_peak_bytes = 0
        self._stages: defaultdict[Stage, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._process = psutil.Process()
        self._ended = threading.Event()
        self._started_s = time.monotonic()
        self._usage = resource.getrusage(resource.RUSAGE_SELF)
        self._sampler = threading.Thread(target=self._sample, name="rss-sampler", daemon=True)

    def __enter__(self) -> Self:
        self._look_at_rss()
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._sampler.join()

    def add(self, stage: Stage, seconds: float) -> None:
        """Add to a stage's time, just after it was spent; safe from any thread."""
        with self._lock:
            self._stages[stage] += seconds
        if self._observe:
            self._observe(stage, seconds)

    def count_image(self, *, found: bool, generated: bool = True) -> None:
        """Count one image; safe from any thread.

        Args:
            found: an earlier or concurrent delivery's image stands in the store.
            generated: this delivery generated it, in vain if it was found.
        """
        with self._lock:
            self.images_painted += generated
            self.images_found += found

    def stage_s(self, stage: Stage) -> float:
        """Seconds spent in a stage so far."""
        with self._lock:
            return self._stages[stage]

    def work(self) -> Work:
        """What the delivery has cost so far."""
        self._look_at_rss()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Work(
            process_s=time.monotonic() - self._started_s,
            cpu_user_s=usage.ru_utime - self._usage.ru_utime,
            cpu_system_s=usage.ru_stime - self._usage.ru_stime,
            images_painted=self.images_painted,
            images_found=self.images_found,
        )

    def _sample(self) -> None:
        # getrusage's own maximum is of the process's whole life: it cannot tell one task from the next.
        while not self._ended.wait(RSS_SAMPLE_S):
            self._look_at_rss()

    def _look_at_rss(self) -> None:
        rss = self._process.memory_info().rss
        with self._lock:
            self.rss_peak_bytes = max(self.rss_peak_bytes, rss)
