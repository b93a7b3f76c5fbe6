"""A scaling run: measured sizes, the simulation beside them, the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.errors import BenchError
from bench.load.sample import COLUMNS, Sample
from bench.run_folder import RunFolder
from bench.run_folder_page import mapping_table, page_html, plain_table
from bench.run_folder_read import StoredRun, read_run
from bench.scale.forecast import check, forecast
from bench.scale.measure import Bench, ok_of, run_size, sizes_of
from bench.scale.simulate import LABEL, Cloud
from model.registry import ModelInfo, Registry
from results.cost_prices import Prices, load_prices
from results.documents import Target

_SERVERS: Final = {"container": "gunicorn", "function": "functions-framework"}


@dataclass(frozen=True, slots=True)
class ScaleOptions:
    """What to do.

    Args:
        out: the run's folder.
        target: who paints.
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
    """Measure, simulate, report. Ctrl-C ends it early, with a labelled, partial result.

    Raises:
        BenchError: nothing was measured, or the folder cannot be written.
        ModelError, PriceError, StackError: see Registry, load_prices, local_worker.
    """
    model = Registry(options.model_dir).get(options.model)
    prices = load_prices(options.prices)
    configuration = {**asdict(options), "model_digest": model.digest}
    folder = RunFolder.create(
        options.out, command="scale", configuration=configuration, columns=("workers", *COLUMNS)
    )
    samples: dict[int, list[list[Sample]]] = {}
    results: dict[str, Any] = {"title": f"Scaling of {_SERVERS[options.target]} on this machine"}
    with folder.recording():
        _measure(options, model, folder, samples, tell)
        results |= _simulated(options, model, prices, samples, tell)
    results["measured"] = [asdict(size) for size in sizes_of(samples, options.images)]
    folder.finish(results)
    run = read_run(options.out)
    folder.write_report(report_html(run))
    return run


def _measure(
    options: ScaleOptions,
    model: ModelInfo,
    folder: RunFolder,
    samples: dict[int, list[list[Sample]]],
    tell: Callable[[str], None],
) -> None:
    """Run each size once a round, in an order that the seed shuffles; `samples` grows as they end."""
    bench = Bench(
        *(options.target, model, options.images, options.duration_s, options.warm_up_s, options.seed),
        *(options.model_dir, options.out / "workers.log"),
    )
    lots = np.random.default_rng(options.seed)
    for place, workers in (
        (place, int(one)) for place in range(options.rounds) for one in lots.permutation(options.workers)
    ):
        tell(f"round {place + 1}: {workers} workers for {options.warm_up_s:g} + {options.duration_s:g} s")

        def seen(one: Sample, workers: int = workers) -> None:
            folder.raw.write((workers, *one.row()))

        samples.setdefault(workers, []).append(run_size(bench, workers, seen))


def _simulated(
    options: ScaleOptions,
    model: ModelInfo,
    prices: Prices,
    samples: dict[int, list[list[Sample]]],
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Check the simulation at the measured sizes, then let it loose."""
    sizes = sizes_of(samples, options.images)
    base = [one.response_s for part in samples[options.workers[0]] for one in ok_of(part)]
    if not base or not sizes[0].images_per_s:
        raise BenchError(
            f"too few requests of {options.workers[0]} workers succeeded: see workers.log in {options.out},"
            " or raise --duration"
        )
    tell(f"simulating {', '.join(f'{count:,}' for count in options.counts)} images")
    simulated = forecast(
        *(options.cloud, options.counts, base, options.images),
        target=options.target,
        model=model,
        prices=prices,
        seed=options.seed,
    )
    return {"check": check(sizes, base, options.images, options.seed), "simulated": simulated}


def report_html(run: StoredRun) -> str:
    """One run as one file."""
    marked = (line for line in text_lines(run) if line.startswith(("PARTIAL", "BUSY")))
    lead = " ".join((*marked, LABEL_LEAD))
    return page_html(str(run.results["title"]), lead, _sections(run))


LABEL_LEAD: Final = "Measured on this machine; what is called a simulation was measured nowhere."
_TABLES: Final = (
    ("measured", "Measured on this machine"),
    ("check", "The simulation at the measured sizes: it gives every worker a CPU of its own"),
    ("simulated", f"Jobs in a cloud: {LABEL}"),
)


def _sections(run: StoredRun) -> Iterator[str]:
    from bench.scale import simulate

    for name, caption in _TABLES:
        rows: list[Mapping[str, Any]] = run.results.get(name) or []
        if rows:
            head = tuple(key for key in rows[0] if key != "label")
            yield plain_table(caption, head, [[_number(row[key]) for key in head] for row in rows])
    yield mapping_table("Configuration", run.configuration) + mapping_table("Environment", run.environment)
    yield f"<h2>Method</h2><p>{' '.join((simulate.__doc__ or '').split())}</p>"


def text_lines(run: StoredRun) -> list[str]:
    """The run in a few lines."""
    lines = [str(run.results["title"])]
    if run.partial:
        lines.append(f"PARTIAL: {run.status}.")
    load, cores = run.environment["load_average"][0], run.environment["cores"] or 1
    if load > cores / 2:
        lines.append(
            f"BUSY MACHINE: load average {load:g} on {cores} cores as this began; efficiency means little."
        )
    for one in run.results.get("measured") or []:
        spread = f"{one['lowest']:.1f}–{one['highest']:.1f}"
        of = f"{one['images_per_s']:.1f} images/s ({spread}), efficiency {one['efficiency']:.2f}"
        lines.append(f"measured   {one['workers']:3} workers: {of}; {one['shed']} refused or failed")
    for one in run.results.get("check") or []:
        ratio = one["simulated_over_measured"]
        told = "nothing measured" if ratio is None else f"simulated / measured = {ratio:.2f}"
        lines.append(f"check      {one['workers']:3} workers: {told}")
    for one in run.results.get("simulated") or []:
        of = f"{one['time_s'] / 60:,.1f} min, {one['instances']} instances, {one['refused_429']:,} refused"
        lines.append(f"SIMULATION {one['images']:>12,} images: {of}, ${one['cost_usd']:,.2f}")
    return lines


def _number(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else "" if value is None else f"{value:,}"
