"""What a job has cost: its records, duplicates and failures, priced by the table. No invoice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final, TypeVar

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
from results.documents import DeadLetter, Document, Duplicate, Failure, Manifest, load
from results.errors import DocumentError
from results.job_state import load_manifest
from results.naming import deadletters_prefix, duplicates_prefix, failures_prefix, published_prefix
from results.parallel import map_in_order
from results.record import Record
from results.records import is_cold, iter_checked_records
from results.stores.base import ObjectInfo, Store
from results.targets import Target

NOTE: Final = "estimate: measured time by a price table, not an invoice"

_DocumentT = TypeVar("_DocumentT", bound=Document)


class Wasted(Document):
    """Work that made no new image.

    Args:
        duplicates: deliveries whose task another one had committed.
        failures: deliveries that ended in a permanent error.
        seconds: their billed time.
        images: generated in vain.
        unrecorded: deliveries that were refused, or ended in a retry or a dead letter: their number is known,
            their time is not.
        cost: what `seconds` cost, in vCPU and memory.
    """

    duplicates: int = 0
    failures: int = 0
    seconds: float = 0
    images: int = 0
    unrecorded: int = 0
    cost: float = 0


class TargetCost(Document):
    """What one target has cost.

    Args:
        images: that are committed.
        unreadable: documents that are damaged or of another place, and so not in the sums.
        cost_per_1000_images: None if there are none.
    """

    target: Target
    service: str
    tasks: int
    images: int
    seconds: float
    unreadable: int
    wasted: Wasted
    usage: Usage
    bill: Bill
    cost_per_1000_images: float | None


class JobCost(Document):
    """What a job has cost, per target, and its submission, which belongs to none."""

    job_id: str
    currency: str
    prices_date: date
    prices_region: str
    free_tier: bool
    note: str = NOTE
    targets: tuple[TargetCost, ...]
    submission: Bill
    total: float


def job_cost(
    store: Store,
    job_id: str,
    prices: Prices,
    *,
    free_tier: bool = False,
    targets: Sequence[Target] | None = None,
) -> JobCost:
    """Price what a job has used.

    Args:
        store: where it is.
        job_id: the job.
        prices: the table.
        free_tier: take off what a month has free.
        targets: only these; None: all of the job's.
    Raises:
        ValueError: the name cannot be a job's.
        JobNotFound: there is no such job.
        DocumentError: its manifest is damaged. A damaged record is counted instead.
        StoreError: the store failed.
    """
    manifest = load_manifest(store, job_id)
    sums = {target: _add_up(store, manifest, target, prices) for target in targets or manifest.targets}
    usages: dict[str, Usage] = {target: deliveries.usage for target, deliveries in sums.items()}
    usages[SUBMISSION] = _submission(store, manifest)
    bills = bill(usages, prices, free_tier=free_tier)
    return JobCost(
        job_id=job_id,
        currency=prices.currency,
        prices_date=prices.date,
        prices_region=prices.region,
        free_tier=free_tier,
        targets=tuple(deliveries.cost(bills[target]) for target, deliveries in sums.items()),
        submission=bills[SUBMISSION],
        total=sum(part.total for part in bills.values()),
    )


class _DeliverySums:
    """Adds up one target's deliveries. Documents come and go one by one: a big job costs no memory."""

    def __init__(self, manifest: Manifest, target: Target, prices: Prices) -> None:
        self.usage = Usage()
        self._prices = prices
        self._target: Target = target
        self._size = prices.size(target)
        http_targets = sum(prices.size(other).service != "own" for other in manifest.targets)
        # A message is published once for all targets, and delivered on every subscription.
        copies = (1 + prices.pubsub.subscriptions) / http_targets if http_targets else 0
        self._published = message_bytes(manifest.params, prices) * copies
        self._delivered = message_bytes(manifest.params, prices)
        self._tasks = self._images = self._unreadable = 0
        self._duplicates = self._failures = self._wasted_images = self._unrecorded = 0
        self._seconds = self._wasted_s = 0.0

    def add_record(self, record: Record, record_bytes: int) -> None:
        """A delivery that committed its task, and those before it that left nothing behind."""
        self._tasks += 1
        self._images += record.image_count
        self._add_message((record.delivery_attempt or 1) - 1, self._published)
        self._add(task_operations(record.images_painted, record.batch_size))
        self._add(Usage(class_b=record.images_found))
        self._add(kept(record_bytes + sum(entry.bytes for entry in record.images), self._prices))
        self._seconds += self._add_time(record.process_s + self._start_s(record))

    def add_wasted(self, meter: Duplicate | Failure) -> None:
        """A delivery that committed nothing; it leaves a document of its own."""
        if isinstance(meter, Duplicate):
            self._duplicates += 1
            self._add_message(0, self._delivered)
        else:
            self._failures += 1
            self._add_message((meter.delivery_attempt or 1) - 1, self._published)
        self._wasted_images += meter.images_painted
        self._add(task_operations(meter.images_painted, self._prices.assume.batch_size))
        self._wasted_s += self._add_time(meter.process_s)

    def add_dead(self, dead: DeadLetter) -> None:
        """A task that ran out of attempts, none of which left a document."""
        self._add_message(dead.attempts, self._published - self._delivered)

    def add_unreadable(self) -> None:
        """A document that is damaged."""
        self._unreadable += 1

    def cost(self, own: Bill) -> TargetCost:
        """The result, with its bill."""
        wasted = computing(self._size, 0, self._wasted_s)
        run = self._prices.cloud_run
        return TargetCost(
            target=self._target,
            service=self._size.service,
            tasks=self._tasks,
            images=self._images,
            seconds=self._seconds,
            unreadable=self._unreadable,
            wasted=Wasted(
                duplicates=self._duplicates,
                failures=self._failures,
                seconds=self._wasted_s,
                images=self._wasted_images,
                unrecorded=self._unrecorded,
                cost=wasted.vcpu_s * run.vcpu_second + wasted.gib_s * run.gib_second,
            ),
            usage=self.usage,
            bill=own,
            cost_per_1000_images=own.total / self._images * 1000 if self._images else None,
        )

    def _start_s(self, record: Record) -> float:
        """The start of an instance is billed; one that was there before the task waited for work."""
        if not is_cold(record) or record.instance_started_at < record.publication_started_at:
            return 0.0
        before_s = (record.received_at - record.instance_started_at).total_seconds()
        return min(max(before_s, 0.0), self._prices.assume.cold_start_s)

    def _add_message(self, unrecorded: int, first_bytes: float) -> None:
        """A message, and the deliveries of it that left no document."""
        self._unrecorded += unrecorded
        if self._size.service != "own":
            self._add(Usage(requests=unrecorded, pubsub_bytes=first_bytes + unrecorded * self._delivered))

    def _add_time(self, seconds: float) -> float:
        rounded_s = billed_s(seconds, self._prices)
        self._add(computing(self._size, 1, rounded_s))
        return rounded_s

    def _add(self, usage: Usage) -> None:
        self.usage = self.usage.plus(usage)


def _add_up(store: Store, manifest: Manifest, target: Target, prices: Prices) -> _DeliverySums:
    sums = _DeliverySums(manifest, target, prices)
    for info, record in iter_checked_records(store, manifest, target):
        if isinstance(record, Record):
            sums.add_record(record, info.size_bytes)
        else:
            sums.add_unreadable()
    for meter in _meters(store, manifest.job_id, target):
        if isinstance(meter, DeadLetter):
            sums.add_dead(meter)
        elif meter:
            sums.add_wasted(meter)
        else:
            sums.add_unreadable()
    return sums


def _meters(store: Store, job_id: str, target: Target) -> Iterator[Duplicate | Failure | DeadLetter | None]:
    duplicates, failures = duplicates_prefix(job_id, target), failures_prefix(job_id, target)
    dead = deadletters_prefix(job_id, target)
    yield from map_in_order(lambda info: _read(store, Duplicate, info), store.list(duplicates))
    yield from map_in_order(lambda info: _read(store, Failure, info), store.list(failures))
    yield from map_in_order(lambda info: _read(store, DeadLetter, info), store.list(dead))


def _read(store: Store, kind: type[_DocumentT], info: ObjectInfo) -> _DocumentT | None:
    try:
        return load(kind, store.read(info.name), info.name)
    except DocumentError:
        return None


def _submission(store: Store, manifest: Manifest) -> Usage:
    """The probe and the manifest, and a marker per published chunk."""
    chunks = sum(1 for _ in store.list(published_prefix(manifest.job_id)))
    return Usage(class_a=2 + chunks)
