"""What the simulation says of whole jobs, priced, and how it compares with what was measured here."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from statistics import fmean
from typing import Any

from bench.scale.measure import Size
from bench.scale.simulate import LABEL, Cloud, SimulatedJob, simulate
from producer.quote import ENTRY_BYTES, PNG_OVERHEAD_BYTES, RECORD_BYTES
from results.cost.bill import Usage, bill, billed_s, computing, kept, message_bytes, task_operations
from results.cost.prices import Prices
from results.targets import Target

_CHECK_TASKS = 2000


def check(
    sizes: Sequence[Size], measured_s: Sequence[float], images: int, seed: int, *, cores: int
) -> list[dict[str, Any]]:
    """The same simulation at the sizes that were measured: instances that are there, and nothing refused.

    Once as in a cloud, with a CPU for every worker: beyond this machine's cores it must promise too much.
    Once with this machine's cores shared evenly: it must come near.

    Args:
        sizes: that were measured, ascending; at least one.
        measured_s: see `simulate`.
        images: per task.
        seed: of the draws.
        cores: of this machine.
    """
    rows = []
    # The times that are drawn from were taken where the smallest size shared the cores already.
    crowd = max(1.0, sizes[0].workers / cores)
    for size in sizes:
        own = _rate(size.workers, 1.0, measured_s, seed)
        shared = _rate(size.workers, max(1.0, size.workers / cores) / crowd, measured_s, seed)
        rate = size.images_per_s
        rows.append(
            {
                "workers": size.workers,
                "measured_images_per_s": rate,
                "simulated_images_per_s": images * own,
                "simulated_over_measured": images * own / rate if rate else None,
                "cores": cores,
                "on_these_cores_images_per_s": images * shared,
                "on_these_cores_over_measured": images * shared / rate if rate else None,
            }
        )
    return rows


def _rate(workers: int, slowness: float, measured_s: Sequence[float], seed: int) -> float:
    """Tasks per second of so many instances that are there."""
    here = Cloud(workers, 0.0, 0.0, workers, workers, slowness)
    return _CHECK_TASKS / simulate(here, _CHECK_TASKS, measured_s, seed).makespan_s


def forecast(
    cloud: Cloud,
    counts: Sequence[int],
    measured_s: Sequence[float],
    images: int,
    *,
    target: Target,
    resolution: int,
    prices: Prices,
    seed: int,
) -> list[dict[str, Any]]:
    """Simulate a job of each size and price it.

    Args:
        cloud: what is assumed.
        counts: images of each job.
        measured_s: see `simulate`.
        images: per task, as measured.
        target: who generates.
        resolution: of an image, pixels.
        prices: the table.
        seed: of the draws.
    """
    rows = []
    for count in counts:
        outcome = simulate(cloud, ceil(count / images), measured_s, seed)
        usage = _usage(outcome, count, images, target, resolution, prices)
        cost = bill({target: usage}, prices)[target]
        rows.append(
            {
                "label": LABEL,
                "images": count,
                "tasks": outcome.tasks,
                "time_s": outcome.makespan_s,
                "on_paper_s": on_paper_s(cloud, outcome.tasks, measured_s),
                "images_per_s": count / outcome.makespan_s,
                "instances": outcome.instances,
                "cold_starts": outcome.instances,
                "refused_429": outcome.refused,
                "billed_s": sum(billed_s(request_s, prices) for request_s in outcome.request_s),
                "cost_usd": cost.total,
            }
        )
    return rows


def on_paper_s(cloud: Cloud, tasks: int, measured_s: Sequence[float]) -> float:
    """The same job on paper, at best: every instance starts at once, and is never idle nor refused.

    A cold start, then all tasks shared evenly. What the simulation takes longer is the slow start and the
    pauses after refusals.
    """
    task_s = fmean(measured_s) * cloud.slowness + cloud.overhead_s
    return cloud.cold_start_s + tasks * task_s / min(cloud.max_instances, tasks)


def _usage(
    outcome: SimulatedJob, count: int, images: int, target: Target, resolution: int, prices: Prices
) -> Usage:
    seconds = sum(billed_s(request_s, prices) for request_s in outcome.request_s)
    usage = computing(prices.size(target), outcome.tasks, seconds)
    each = task_operations(images, prices.assume.batch_size)
    usage = usage.plus(Usage(class_a=each.class_a * outcome.tasks, class_b=each.class_b * outcome.tasks))
    # A refused delivery is paid for as well; one that a filter drops costs as much as one that arrives.
    messages = outcome.tasks * (1 + prices.pubsub.subscriptions) + outcome.refused
    usage = usage.plus(Usage(pubsub_bytes=messages * message_bytes({}, prices)))
    png = resolution**2 * prices.assume.bytes_per_pixel + PNG_OVERHEAD_BYTES
    return usage.plus(kept(count * (png + ENTRY_BYTES) + outcome.tasks * RECORD_BYTES, prices))
