"""A scaling run: measured sizes, the simulation beside them, the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.load.generator.sample import Sample
from bench.runs.folder import RunFolder
from bench.runs.kinds import conclude
from bench.runs.read import StoredRun, read_run
from bench.scale.analysis import simulates
from bench.scale.measure import COLUMNS, Bench, rounds_of, run_size
from bench.scale.simulate import Cloud
from model.registry import ModelInfo, Registry
from results.cost.prices import load_prices
from results.targets import Target


@dataclass(frozen=True, slots=True)
class ScaleOptions:
    """What to do.

    Args:
        out: the run's folder.
        target: who generates.
        workers: sizes that are measured, ascending; the first one is what efficiency is against.
        counts: images of the jobs that are simulated.
        cloud: what the simulation assumes.
        model: registered name.
        images: per request and task.
        duration_s: of each size in each round.
        warm_up_s: before it.
        seed: of images, order and simulation.
        rounds: of all sizes.
        prices: a table of the user's own.
        model_dir: of models beside the shipped ones.
    """

    out: Path
    target: Target
    workers: tuple[int, ...]
    counts: tuple[int, ...]
    cloud: Cloud
    model: str = "faces-64"
    images: int = 16
    duration_s: float = 10.0
    warm_up_s: float = 5.0
    seed: int = 1
    rounds: int = 3
    prices: Path | None = None
    model_dir: Path | None = None


def run_scale(options: ScaleOptions, tell: Callable[[str], None]) -> StoredRun:
    """Measure, simulate, report. What ends it early leaves a labelled, partial result.

    Raises:
        BenchError: the folder cannot be written.
        ModelError, PriceError, StackError: see Registry, load_prices, local_worker.
    """
    model = Registry(options.model_dir).get(options.model)
    load_prices(options.prices)  # a table that cannot be read is reported now
    configuration = {**asdict(options), "model_digest": model.digest, "resolution": model.resolution}
    folder = RunFolder.create(options.out, command="scale", configuration=configuration, columns=COLUMNS)
    try:
        with folder.recording():
            _measure(options, model, folder, tell)
    finally:
        _conclude(options, folder, tell)  # of what there is, also when workers did not start
    return read_run(options.out)


def _measure(options: ScaleOptions, model: ModelInfo, folder: RunFolder, tell: Callable[[str], None]) -> None:
    """Run each size once a round, in an order that the seed shuffles."""
    bench = Bench(
        *(options.target, model, options.images, options.duration_s, options.warm_up_s, options.seed),
        *(options.model_dir, options.out / "workers.log"),
    )
    lots = np.random.default_rng(options.seed)
    for place, workers in (
        (place, int(size)) for place in range(options.rounds) for size in lots.permutation(options.workers)
    ):
        spent = f"{options.warm_up_s:g} + {options.duration_s:g} s"
        tell(f"round {place + 1} of {options.rounds}: {workers} workers for {spent}")

        def seen(sample: Sample, place: int = place, workers: int = workers) -> None:
            folder.raw.write((place, workers, *sample.cells()))

        run_size(bench, workers, seen)


def _conclude(options: ScaleOptions, folder: RunFolder, tell: Callable[[str], None]) -> None:
    """Write figures and report; simulate, where there is something to simulate from."""
    stored = read_run(options.out)
    if simulates(stored, rounds_of(stored)):
        tell(f"simulating {', '.join(f'{count:,}' for count in options.counts)} images")
    elif folder.status == "running":
        few = f"too few requests of {options.workers[0]} workers succeeded"
        folder.status = f"{few}: see workers.log, or raise --duration"
    conclude(folder, {})
