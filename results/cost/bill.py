"""What work costs by the price table: usage in, dollars out. The formulas are in docs/cost.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import ceil
from typing import Final

from pydantic import Field

from results.cost.prices import EgressTier, Prices, TargetSize
from results.documents import Document, Params

GIB: Final = 2**30
TIB: Final = 2**40
SUBMISSION: Final = "submission"
"""The share of a bill that belongs to no target: writing the job and marking what was published."""
MESSAGE_BYTES: Final = 700
"""A task's message without params: its JSON, attributes, stamp and id are 540 bytes, with long names 670."""


class Usage(Document):
    """What was used, or will be.

    Args:
        requests: HTTP requests that were billed.
        vcpu_s: vCPU-seconds, after rounding.
        gib_s: GiB-seconds, after rounding.
        pubsub_bytes: published and delivered, each request at its minimum or more.
        class_a: writes and listings.
        class_b: reads and look-ups.
        stored_bytes: images and records.
        stored_gib_months: the same, for as long as they are kept.
        egress_bytes: what leaves for the internet.
    """

    requests: float = Field(0, ge=0)
    vcpu_s: float = Field(0, ge=0)
    gib_s: float = Field(0, ge=0)
    pubsub_bytes: float = Field(0, ge=0)
    class_a: float = Field(0, ge=0)
    class_b: float = Field(0, ge=0)
    stored_bytes: float = Field(0, ge=0)
    stored_gib_months: float = Field(0, ge=0)
    egress_bytes: float = Field(0, ge=0)

    def plus(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in Usage.model_fields})


class Bill(Document):
    """Dollars, by what they are asked for."""

    vcpu: float
    memory: float
    requests: float
    pubsub: float
    operations: float
    storage: float
    egress: float
    total: float


def billed_s(seconds: float, prices: Prices) -> float:
    """A request's time, rounded up as it is billed."""
    step_s = prices.cloud_run.rounding_s
    # 0.3 / 0.1 is a little more than 3: what exceeds a step by rounding alone is no further step.
    return ceil(round(seconds / step_s, 6)) * step_s


def computing(size: TargetSize, requests: float, seconds: float) -> Usage:
    """What requests occupy.

    Args:
        size: what one request of the target occupies.
        requests: how many there are.
        seconds: all their billed time.
    """
    if size.service == "own":
        return Usage()
    share = seconds / size.concurrency
    return Usage(requests=requests, vcpu_s=share * size.vcpu, gib_s=share * size.memory_gib)


def message_bytes(params: Params, prices: Prices) -> float:
    """What a publish or a delivery of one task's message counts for."""
    size = MESSAGE_BYTES + len(json.dumps(params, ensure_ascii=False).encode())
    return max(size, prices.pubsub.minimum_bytes)


def task_operations(images: int, batch_size: int) -> Usage:
    """The store's operations for one delivery of a task (see `pipeline.worker.process`).

    Args:
        images: painted by it.
        batch_size: images between two looks at the job's cancellation.
    """
    batches = ceil(images / batch_size)
    # One list finds the images that are there; a task of one image looks it up instead. The record: one more.
    listed = 1 if images != 1 else 0
    return Usage(class_a=listed + images + 1, class_b=1 - listed + max(batches, 1))


def kept(stored_bytes: float, prices: Prices) -> Usage:
    """Storage of so many bytes for the assumed time, and the assumed downloads."""
    assume = prices.assume
    return Usage(
        stored_bytes=stored_bytes,
        stored_gib_months=stored_bytes / GIB * assume.storage_months,
        egress_bytes=stored_bytes * assume.downloads,
    )


def bill(usages: Mapping[str, Usage], prices: Prices, *, free_tier: bool = False) -> dict[str, Bill]:
    """Price usages.

    Args:
        usages: by name of the target, or SUBMISSION.
        prices: the table.
        free_tier: take off what a month has free, as if nothing else had used it; each usage gets its share.
    Returns:
        A bill for each.
    """
    total = Usage()
    for usage in usages.values():
        total = total.plus(usage)
    charged = _charged(total, prices, free_tier)
    egress_price = _egress_price(total, prices, free_tier)
    return {name: _bill(usage, charged, egress_price, prices) for name, usage in usages.items()}


def _charged(total: Usage, prices: Prices, free_tier: bool) -> dict[str, float]:
    """The part of each quantity that is not free, 0 to 1."""
    run, pubsub, storage = prices.cloud_run.free, prices.pubsub.free, prices.storage.free
    free = {
        "requests": run.requests,
        "vcpu_s": run.vcpu_seconds,
        "gib_s": run.gib_seconds,
        "pubsub_bytes": pubsub.bytes,
        "class_a": storage.class_a,
        "class_b": storage.class_b,
        "stored_gib_months": storage.gb_months,
    }
    amounts = {name: getattr(total, name) for name in free}
    return {
        name: max(0.0, 1 - free[name] / amount) if free_tier and amount else 1.0
        for name, amount in amounts.items()
    }


def _egress_price(total: Usage, prices: Prices, free_tier: bool) -> float:
    """Mean price of a GB that leaves, over the tiers that all of it together reaches."""
    gigabytes = total.egress_bytes / GIB
    free = prices.storage.free.egress_gb if free_tier else 0
    paid = max(0.0, gigabytes - free)
    return _tiered(paid, prices.storage.egress_gb) / gigabytes if gigabytes else 0.0


def _tiered(amount: float, tiers: tuple[EgressTier, ...]) -> float:
    cost = begin = 0.0
    for tier in tiers:
        end = amount if tier.up_to_gb is None else min(amount, tier.up_to_gb)
        cost += max(0.0, end - begin) * tier.price
        begin = max(begin, end)
    return cost


def _bill(usage: Usage, charged: Mapping[str, float], egress_price: float, prices: Prices) -> Bill:
    run, storage = prices.cloud_run, prices.storage
    parts = {
        "vcpu": usage.vcpu_s * charged["vcpu_s"] * run.vcpu_second,
        "memory": usage.gib_s * charged["gib_s"] * run.gib_second,
        "requests": usage.requests * charged["requests"] * run.million_requests / 1e6,
        "pubsub": usage.pubsub_bytes * charged["pubsub_bytes"] * prices.pubsub.tib / TIB,
        "operations": usage.class_a * charged["class_a"] * storage.class_a_thousand / 1000
        + usage.class_b * charged["class_b"] * storage.class_b_thousand / 1000,
        "storage": usage.stored_gib_months * charged["stored_gib_months"] * storage.gb_month,
        "egress": usage.egress_bytes / GIB * egress_price,
    }
    return Bill(**parts, total=sum(parts.values()))
