"""From the rows of a scaling run to its figures: for a run that ends, and for one that is read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.runs.read import StoredRun
from bench.runs.title import SERVERS
from bench.scale.forecast import check, forecast
from bench.scale.growth import growth_of
from bench.scale.measure import Rounds, ok_of, rates_of, rounds_of, sizes_of
from bench.scale.simulate import Cloud
from results.cost.prices import load_prices


def analyse(run: StoredRun) -> dict[str, Any]:
    """All figures, as JSON. There is no simulation where the smallest size was not measured.

    Raises:
        BenchError: it is no scaling run.
        PriceError: the price table cannot be read.
    """
    asked = run.configuration
    rounds, images = rounds_of(run), int(asked["images"])
    sizes = sizes_of(rounds, images)
    return {
        "title": f"Scaling of {SERVERS[asked['target']]} on this machine",
        "measured": [asdict(size) for size in sizes],
        "growth": asdict(growth_of(rates_of(rounds, images), sizes)),
        **(_simulated(run, rounds) if simulates(run, rounds) else {}),
    }


def simulates(run: StoredRun, rounds: Rounds) -> bool:
    """True where there is something to simulate from: times of the smallest size that was asked for."""
    smallest = min(run.configuration["workers"])
    images = int(run.configuration["images"])
    return any(rate > 0 for rate in rates_of(rounds, images).get(smallest, {}).values())


def _simulated(run: StoredRun, rounds: Rounds) -> Mapping[str, Any]:
    asked, machine = run.configuration, run.environment
    images, seed = int(asked["images"]), int(asked["seed"])
    base = [sample.response_s for part in rounds[min(asked["workers"])].values() for sample in ok_of(part)]
    simulated = forecast(
        *(Cloud(**asked["cloud"]), asked["counts"], base, images),
        target=asked["target"],
        resolution=int(asked["resolution"]),
        prices=load_prices(Path(asked["prices"]) if asked["prices"] else None),
        seed=seed,
    )
    cores = int(machine.get("cores_usable") or machine.get("cores") or 1)
    return {
        "check": check(sizes_of(rounds, images), base, images, seed, cores=cores),
        "simulated": simulated,
    }
