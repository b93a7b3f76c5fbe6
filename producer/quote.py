"""Estimate a job's cost, expected and upper, before anything is written."""

from __future__ import annotations

from datetime import date
from math import ceil
from typing import Final

from model.calibration import calibration_file, load_calibrations
from pipeline.errors import RequestError
from producer.publish import CHUNK_TASKS
from producer.submit import Draft
from results.cost.bill import (
    SUBMISSION,
    Bill,
    Usage,
    bill,
    billed_s,
    computing,
    kept,
    message_bytes,
    task_operations,
)
from results.cost.prices import Prices
from results.documents import Document, Manifest
from results.targets import Target

RECORD_BYTES: Final = 1200
ENTRY_BYTES: Final = 270
"""Sizes of a record and of one image's entry in it."""
PNG_OVERHEAD_BYTES: Final = 600
"""A PNG's chunks and its provenance, without params."""
UPPER_BYTES_PER_PIXEL: Final = 3.02
"""Noise does not compress: three bytes per pixel, and a filter byte per row."""


class TargetQuote(Document):
    """The expected usage and cost of one target.

    Args:
        service: "cloud_run", or "own": the user's machines, whose compute time is not priced.
        upper: the upper estimate.
        cost_per_1000_images: expected; `upper_per_1000_images`: of the upper estimate.
    """

    target: Target
    service: str
    usage: Usage
    bill: Bill
    upper: Bill
    cost_per_1000_images: float
    upper_per_1000_images: float


class Quote(Document):
    """The expected cost of a job.

    Args:
        calibrated: seconds_per_image was measured here (`diptych model calibrate`), not nominal.
        upper_rule: the assumptions of the upper estimate, in words.
    """

    currency: str
    prices_date: date
    prices_region: str
    free_tier: bool
    count: int
    tasks_per_target: int
    images_per_task: int
    seconds_per_image: float
    calibrated: bool
    upper_rule: str
    targets: tuple[TargetQuote, ...]
    submission: Bill
    total: float
    upper_total: float


def make_quote(draft: Draft, prices: Prices, *, free_tier: bool = False) -> Quote:
    """Estimate the cost of a draft.

    Args:
        draft: the checked request; not yet written.
        prices: the price table.
        free_tier: deduct the monthly free tier.
    """
    manifest, plan = draft.manifest, draft.plan
    expected, upper = _usages(draft, prices, upper=False), _usages(draft, prices, upper=True)
    bills = bill(expected, prices, free_tier=free_tier)
    upper_bills = bill(upper, prices, free_tier=free_tier)
    per_1000 = 1000 / manifest.count
    return Quote(
        currency=prices.currency,
        prices_date=prices.date,
        prices_region=prices.region,
        free_tier=free_tier,
        count=manifest.count,
        tasks_per_target=plan.task_count,
        images_per_task=plan.images_per_task,
        seconds_per_image=plan.seconds_per_image,
        calibrated=draft.model.digest in load_calibrations(calibration_file()),
        upper_rule=_rule(prices),
        targets=tuple(
            TargetQuote(
                target=target,
                service=prices.size(target).service,
                usage=expected[target],
                bill=bills[target],
                upper=upper_bills[target],
                cost_per_1000_images=bills[target].total * per_1000,
                upper_per_1000_images=upper_bills[target].total * per_1000,
            )
            for target in manifest.targets
        ),
        submission=bills[SUBMISSION],
        total=sum(target_bill.total for target_bill in bills.values()),
        upper_total=sum(target_bill.total for target_bill in upper_bills.values()),
    )


def check_budget(quote: Quote, budget: float) -> None:
    """Raise RequestError if the upper estimate exceeds the budget."""
    # Written so that a budget of NaN allows nothing.
    if not quote.upper_total <= budget:
        raise RequestError(
            f"refused: the upper estimate is ${quote.upper_total:,.4f}, over --max-cost ${budget:,.4f}"
            f" (expected ${quote.total:,.4f}); nothing was written: reduce the count, or see --quote"
        )


def _usages(draft: Draft, prices: Prices, *, upper: bool) -> dict[str, Usage]:
    manifest = draft.manifest
    usages: dict[str, Usage] = {
        target: _target_usage(draft, target, prices, upper=upper) for target in manifest.targets
    }
    pushes = draft.model.is_checkpoint and not draft.model.shipped
    pushed_bytes = draft.model.path.stat().st_size if pushes else 0
    # The probe, the manifest, a marker per chunk, and the model's checkpoint.
    writes = 2 + ceil(manifest.task_count / CHUNK_TASKS) + pushes
    usages[SUBMISSION] = Usage(class_a=writes, class_b=int(pushes)).plus(_stored_model(pushed_bytes, prices))
    return usages


def _stored_model(pushed_bytes: float, prices: Prices) -> Usage:
    """A checkpoint stays in the bucket: no egress to the internet."""
    return kept(pushed_bytes, prices).model_copy(update={"egress_bytes": 0.0})


def _target_usage(draft: Draft, target: Target, prices: Prices, *, upper: bool) -> Usage:
    manifest, assume, size = draft.manifest, prices.assume, prices.size(target)
    full, rest = divmod(manifest.count, manifest.images_per_task)
    deliveries = assume.upper_deliveries if upper else 1.0
    slowness = assume.upper_slowness if upper else 1.0
    usage = Usage()
    for images, tasks in ((manifest.images_per_task, full), (rest, 1 if rest else 0)):
        count = tasks * deliveries
        seconds = billed_s(
            images * draft.plan.seconds_per_image * slowness + assume.overhead_s * slowness, prices
        )
        usage = usage.plus(computing(size, count, seconds * count))
        usage = usage.plus(_times(task_operations(images, assume.batch_size), count))
    if upper:
        starts = min(assume.upper_instances, manifest.task_count * deliveries)
        usage = usage.plus(computing(size, 0, starts * assume.cold_start_s))
    if size.service != "own":
        usage = usage.plus(Usage(pubsub_bytes=_message_bytes(manifest, prices, deliveries)))
    return usage.plus(kept(_stored_bytes(manifest, prices, upper=upper), prices))


def _message_bytes(manifest: Manifest, prices: Prices, deliveries: float) -> float:
    """One publication for all targets, and a delivery on every subscription."""
    http_targets = sum(prices.size(target).service != "own" for target in manifest.targets)
    copies = (1 + prices.pubsub.subscriptions * deliveries) / http_targets
    return manifest.task_count * copies * message_bytes(manifest.params, prices)


def _stored_bytes(manifest: Manifest, prices: Prices, *, upper: bool) -> float:
    per_pixel = UPPER_BYTES_PER_PIXEL if upper else prices.assume.bytes_per_pixel
    png = manifest.resolution**2 * per_pixel + PNG_OVERHEAD_BYTES + len(str(manifest.params))
    return manifest.count * (png + ENTRY_BYTES) + manifest.task_count * RECORD_BYTES


def _times(usage: Usage, factor: float) -> Usage:
    return Usage(**{name: getattr(usage, name) * factor for name in Usage.model_fields})


def _rule(prices: Prices) -> str:
    assume = prices.assume
    return (
        f"every image takes {assume.upper_slowness:g} times as long, every task is delivered"
        f" {assume.upper_deliveries:g} times, up to {assume.upper_instances:,} instances per target start"
        f" cold in {assume.cold_start_s:g} s each, and no image compresses. Not a bound: a task that"
        " keeps failing transiently is delivered up to 100 times"
    )
