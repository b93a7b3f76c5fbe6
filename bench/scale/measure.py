"""Images per second of 1, 2, 4 … painting processes on this machine."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.load.generator import Generator
from bench.load.pushes import Pushes
from bench.load.sample import Sample
from bench.load.schedule import Plan
from bench.load.workers import local_worker
from model.registry import ModelInfo
from results.documents import Target

Rounds = Mapping[int, Sequence[list[Sample]]]
"""What was measured, by number of workers: a list for each round."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What is asked of each size.

    Args:
        target: container or function.
        model: what paints.
        images: per request.
        duration_s: measured; the warm-up comes before it.
        warm_up_s: models are loaded in it.
        seed: of the images.
        model_dir: of models beside the shipped ones.
        log: of the workers.
    """

    target: Target
    model: ModelInfo
    images: int
    duration_s: float
    warm_up_s: float
    seed: int
    model_dir: Path | None
    log: Path


@dataclass(frozen=True, slots=True)
class Size:
    """What one size did.

    Args:
        workers: painting processes, and users who keep them busy.
        images_per_s: painted and answered within the measured time; the median of the rounds.
        lowest: of the rounds.
        highest: of the rounds.
        efficiency: of `workers` times what one did.
        mean_response_s: of a request.
        shed: refusals (429, 503); an error counts here too.
        requests: that succeeded.
    """

    workers: int
    images_per_s: float
    lowest: float
    highest: float
    efficiency: float
    mean_response_s: float
    shed: int
    requests: int


def run_size(bench: Bench, workers: int, seen: Callable[[Sample], None]) -> list[Sample]:
    """Start so many painting processes and keep each of them busy; what was measured after the warm-up.

    Raises:
        StackError: they do not start.
    """
    found: list[Sample] = []

    def take(one: Sample) -> None:
        found.append(one)
        seen(one)

    plan = Plan(bench.warm_up_s + bench.duration_s, bench.warm_up_s, users=workers, seed=bench.seed)
    pushes = Pushes(f"scale-{secrets.token_hex(4)}", bench.model, bench.target, bench.images, bench.seed)
    with (
        tempfile.TemporaryDirectory(prefix="dts-") as name,
        local_worker(
            bench.target, Path(name), slots=workers, model_dir=bench.model_dir, log=bench.log
        ) as worker,
    ):
        Generator(worker.url, bench.target, plan, pushes.body, take).run()
    return [one for one in found if one.phase == "measured"]


def sizes_of(samples: Rounds, images: int) -> list[Size]:
    """The table, from the samples by number of workers; efficiency is against the smallest of them."""
    sizes: list[Size] = []
    for workers, rounds in sorted(samples.items()):
        rates = [images * _per_s(ok_of(one), workers) for one in rounds]
        rate = median(rates)
        found = [one for part in rounds for one in part]
        ok = ok_of(found)
        base = sizes[0].images_per_s / sizes[0].workers if sizes else rate / workers
        mean_s = sum(one.response_s for one in ok) / len(ok) if ok else 0.0
        efficiency = rate / (workers * base) if base else 0.0
        shed = len(found) - len(ok)
        sizes.append(Size(workers, rate, min(rates), max(rates), efficiency, mean_s, shed, len(ok)))
    return sizes


def ok_of(samples: Iterable[Sample]) -> list[Sample]:
    """Those that succeeded."""
    return [one for one in samples if one.outcome == "ok"]


def _per_s(ok: list[Sample], workers: int) -> float:
    """Requests per second: from the first one's start to the last one's end, when all were busy."""
    if len(ok) <= workers:
        return 0.0
    return len(ok) / (max(one.ended_s for one in ok) - min(one.sent_s for one in ok))
