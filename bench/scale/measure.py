"""Images per second of 1, 2, 4 … worker processes on this machine."""

from __future__ import annotations

import secrets
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.load.generator.load_generator import LoadGenerator
from bench.load.generator.pushes import Pushes
from bench.load.generator.sample import Phase, Sample
from bench.load.generator.schedule import LoadPlan
from bench.load.workers import local_worker
from bench.runs.read import StoredRun
from model.registry import ModelInfo
from results.targets import Target

COLUMNS = ("round", "workers", *Sample.columns())
"""Of the raw file."""
_COLD_LIMIT_S = 300.0
Rounds = Mapping[int, Mapping[int, Sequence[Sample]]]
"""What was measured, by number of workers and round."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What is asked of each size.

    Args:
        target: container or function.
        model: what generates.
        images: per request.
        duration_s: measured; the warm-up comes before it.
        warm_up_s: before it, once every process has had its model loaded.
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
        workers: worker processes, and users who keep them busy.
        images_per_s: generated and answered within the measured time; the median of the rounds.
        lowest: of the rounds.
        highest: of the rounds.
        efficiency: of `workers` times what one did.
        mean_response_s: of a request.
        shed: refusals (429, 503); an error counts here too.
        requests: that succeeded.
        rounds: that came to their end.
    """

    workers: int
    images_per_s: float
    lowest: float
    highest: float
    efficiency: float
    mean_response_s: float
    shed: int
    requests: int
    rounds: int


def run_size(bench: Bench, workers: int, seen: Callable[[Sample], None]) -> None:
    """Start so many worker processes and keep each of them busy.

    Args:
        bench: what is asked.
        workers: how many.
        seen: called with each request: the first ones, cold, then the warm-up, then the measured ones.
    Raises:
        StackError: they do not start.
    """
    plan = LoadPlan(bench.warm_up_s + bench.duration_s, bench.warm_up_s, users=workers, seed=bench.seed)
    pushes = Pushes(f"scale-{secrets.token_hex(4)}", bench.model, bench.target, bench.images, bench.seed)
    with (
        tempfile.TemporaryDirectory(prefix="dts-") as name,
        local_worker(
            bench.target, Path(name), slots=workers, model_dir=bench.model_dir, log=bench.log
        ) as worker,
    ):

        def generator(plan: LoadPlan, phase: Phase | None, first: int) -> LoadGenerator:
            return LoadGenerator(
                worker.url, bench.target, plan, pushes.body, seen, phase=phase, first_task=first
            )

        # Loading many models on few cores takes longer than any fixed warm-up: it is waited for.
        cold = generator(LoadPlan(_COLD_LIMIT_S, users=workers), "cold", 0)
        cold.run(limit=workers)
        generator(plan, None, cold.next_task).run()


def rounds_of(run: StoredRun) -> Rounds:
    """The measured requests of the rounds that came to their end; a torn one is left out.

    Raises:
        BenchError: it is no scaling run.
    """
    rounds_by_size: dict[int, dict[int, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for place, workers, sample in run.read_rows("scale", _row):
        if sample.phase != "cold":
            rounds_by_size[workers][place].append(sample)
    asked = run.configuration
    whole_s = float(asked["warm_up_s"]) + float(asked["duration_s"])
    return {
        workers: {
            place: [sample for sample in requests if sample.phase == "measured"]
            for place, requests in rounds.items()
            if _whole(requests, whole_s)
        }
        for workers, rounds in sorted(rounds_by_size.items())
    }


def rates_of(rounds: Rounds, images: int) -> dict[int, dict[int, float]]:
    """Images per second of each size and round."""
    return {
        workers: {place: images * _per_s(ok_of(samples), workers) for place, samples in of_size.items()}
        for workers, of_size in rounds.items()
        if of_size
    }


def sizes_of(rounds: Rounds, images: int) -> list[Size]:
    """The table of the sizes; efficiency is against the smallest of them."""
    sizes: list[Size] = []
    for workers, by_round in rates_of(rounds, images).items():
        rates = [*by_round.values()]
        rate = median(rates)
        samples = [sample for part in rounds[workers].values() for sample in part]
        ok = ok_of(samples)
        base = sizes[0].images_per_s / sizes[0].workers if sizes else rate / workers
        sizes.append(
            Size(
                workers=workers,
                images_per_s=rate,
                lowest=min(rates),
                highest=max(rates),
                efficiency=rate / (workers * base) if base else 0.0,
                mean_response_s=sum(sample.response_s for sample in ok) / len(ok) if ok else 0.0,
                shed=len(samples) - len(ok),
                requests=len(ok),
                rounds=len(rates),
            )
        )
    return sizes


def ok_of(samples: Iterable[Sample]) -> list[Sample]:
    """Those that succeeded."""
    return [sample for sample in samples if sample.outcome == "ok"]


def _row(row: Mapping[str, str]) -> tuple[int, int, Sample]:
    return int(row["round"]), int(row["workers"]), Sample.read(row)


def _whole(requests: Sequence[Sample], whole_s: float) -> bool:
    """A user's last request is sent before the end: the last answer is at most one response short of it."""
    longest_s = max(sample.response_s for sample in requests)
    return max(sample.ended_s for sample in requests) + longest_s >= whole_s


def _per_s(ok: list[Sample], workers: int) -> float:
    """Requests per second: from the first one's start to the last one's end, when all were busy."""
    if len(ok) <= workers:
        return 0.0
    return len(ok) / (max(sample.ended_s for sample in ok) - min(sample.sent_s for sample in ok))
