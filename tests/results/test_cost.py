"""The price table, and what it makes of usage and of a job's records."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from results import naming
from results.cost.actual import job_cost
from results.cost.bill import SUBMISSION, Usage, bill, billed_s, message_bytes, task_operations
from results.cost.prices import SHIPPED, PriceError, Prices, load_prices
from results.cost.table import dollars
from results.documents import JSON_TYPE, DeadLetter, Duplicate, Failure, Params, dump
from results.errors import JobNotFound
from results.stores.base import Store
from tests.support.builders.pictures import JOB, START, manifest, record, write_image, write_job
from tests.support.builders.tasks import a_task

WORK: dict[str, Any] = {
    "process_s": 1.01,
    "cpu_user_s": 1.0,
    "cpu_system_s": 0.0,
    "images_painted": 4,
    "images_found": 0,
}


@pytest.fixture(scope="module")
def prices() -> Prices:
    return load_prices()


def edited(tmp_path: Path, old: str, new: str) -> Path:
    text = SHIPPED.read_text()
    assert text.count(old) == 1
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("seconds", "billed"), [(0.0, 0.0), (0.01, 0.1), (0.1, 0.1), (0.3, 0.3), (0.30001, 0.4), (12.34, 12.4)]
)
def test_time_is_rounded_up_to_100_ms(prices: Prices, seconds: float, billed: float) -> None:
    assert billed_s(seconds, prices) == pytest.approx(billed)


def test_a_known_usage_costs_what_the_list_says(prices: Prices) -> None:
    usage = Usage(
        requests=1_000_000, vcpu_s=1000, gib_s=4000, pubsub_bytes=2**40, class_a=1000, class_b=1000,
        stored_gib_months=10, egress_bytes=2 * 1024 * 2**30,
    )  # fmt: skip
    found = bill({"container": usage}, prices)["container"]
    parts = [found.requests, found.pubsub, found.vcpu, found.memory, found.operations, found.storage]
    assert parts == pytest.approx([0.40, 40.0, 0.024, 0.010, 0.0054, 0.2])
    # The first TiB at 0.12, the second at 0.11.
    assert found.egress == pytest.approx(1024 * 0.12 + 1024 * 0.11)
    assert found.total == pytest.approx(sum(v for k, v in found.model_dump().items() if k != "total"))


def test_the_free_tier_is_taken_off_once_for_all(prices: Prices) -> None:
    each = Usage(requests=3_000_000, vcpu_s=90_000)
    found = bill({"container": each, "function": each}, prices, free_tier=True)
    assert found["container"].requests == pytest.approx(2_000_000 * 0.40 / 1e6)
    assert found["container"].vcpu == found["function"].vcpu == 0
    assert bill({"container": each}, prices)["container"].vcpu > 0


def test_a_message_is_counted_at_no_less_than_its_size(prices: Prices) -> None:
    free = prices.model_copy(update={"pubsub": prices.pubsub.model_copy(update={"minimum_bytes": 0})})
    tried: tuple[Params, ...] = ({}, {"prompt": "x" * 1500})
    for params in tried:
        task = a_task(job_id="j" * 63, model="m" * 63, params=params, seed=2**63 - 1, task_index=999_999)
        attributes = sum(len(key) + len(value) for key, value in task.attributes().items())
        real = len(task.encode()) + attributes + 40
        assert real <= message_bytes(params, free) <= real + 300
    assert message_bytes({}, prices) == 1000


def test_operations_of_a_task() -> None:
    # 20 images in batches of 8: list, 20 creates, record; cancelled at the start and before batches 2 and 3.
    assert task_operations(20, 8) == Usage(class_a=22, class_b=3)
    assert task_operations(1, 8) == Usage(class_a=2, class_b=2)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("vcpu_second = 0.000024", "vcpu_second = -1", "cloud_run.vcpu_second"),
        ("vcpu_second = 0.000024", "vcpu_secnd = 1", "cloud_run.vcpu_second: Field required"),
        ("tib = 40.0", "tib = nan", "pubsub.tib"),
        ('currency = "USD"', 'currency = "EUR"', "currency"),
        ("up_to_gb = 10240", "up_to_gb = 10", "egress_gb: tiers need rising"),
        ("[pubsub]", "[pubsub", "is not TOML"),
        ('schema = "diptych.prices/1"', 'schema = "diptych.prices/9"', "schema"),
    ],
)
def test_a_wrong_table_is_refused_in_a_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = edited(tmp_path, old, new)
    with pytest.raises(PriceError) as caught:
        load_prices(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_of_ones_own_counts(tmp_path: Path, prices: Prices) -> None:
    mine = load_prices(edited(tmp_path, "vcpu_second = 0.000024", "vcpu_second = 1"))
    assert bill({"container": Usage(vcpu_s=2)}, mine)["container"].total == 2
    assert prices.date.year >= 2026


def test_every_price_of_the_shipped_table_names_its_page(prices: Prices) -> None:
    for group in (prices.cloud_run, prices.pubsub, prices.storage):
        assert group.page.startswith("https://cloud.google.com/")
        assert group.note


def test_a_job_is_priced_from_its_records(store: Store, prices: Prices) -> None:
    write_job(store)
    found = job_cost(store, JOB, prices)
    assert [(one.target, one.tasks, one.images) for one in found.targets] == [
        ("container", 3, 10),
        ("function", 3, 10),
    ]
    container = found.targets[0]
    # Three tasks of 2 s; the instance of the cold one was there before the job.
    assert container.seconds == pytest.approx(6)
    assert container.usage.vcpu_s == pytest.approx(6)
    assert container.usage.gib_s == pytest.approx(6 * 4)
    assert container.usage.requests == 3
    # One publish for both targets, delivered on two subscriptions.
    assert container.usage.pubsub_bytes == pytest.approx(3 * 1000 * 3 / 2)
    assert container.usage.class_a == 10 + 3 + 3
    stored = [
        info.size_bytes
        for info in store.list(naming.target_prefix(JOB, "container"))
        if "/images/" in info.name or "/records/" in info.name
    ]
    assert container.usage.stored_bytes == sum(stored)
    assert container.cost_per_1000_images == pytest.approx(container.bill.total * 100)
    assert found.total == pytest.approx(sum(one.bill.total for one in found.targets) + found.submission.total)


def test_work_done_in_vain_is_paid_for(store: Store, prices: Prices) -> None:
    write_job(store)
    before = job_cost(store, JOB, prices, targets=["container"]).targets[0]
    common = {"job_id": JOB, "task_index": 0, "target": "container", "delivery_id": "d9", "message_id": "m"}
    duplicate = Duplicate(**common, **WORK, instance_id="i", duplicate_at=START)
    failure = Failure(
        **common, **WORK, instance_id="i", publication=0, error="bad", detail="", received_at=START,
        failed_at=START,
    )  # fmt: skip
    store.create(naming.duplicate_name(JOB, "container", 0, "d9"), dump(duplicate), JSON_TYPE)
    store.create(naming.failure_name(JOB, "container", 1, 0, "d9"), dump(failure), JSON_TYPE)
    after = job_cost(store, JOB, prices, targets=["container"]).targets[0]
    assert (after.wasted.duplicates, after.wasted.failures, after.wasted.images) == (1, 1, 8)
    assert after.wasted.seconds == pytest.approx(2.2)
    assert after.usage.vcpu_s == pytest.approx(before.usage.vcpu_s + 2.2)
    assert after.wasted.cost == pytest.approx(2.2 * (0.000024 + 4 * 0.0000025))
    assert after.bill.total > before.bill.total
    assert after.images == before.images


@pytest.mark.parametrize(("started_s", "start_s"), [(0.25, 0.75), (-0.25, 0), (-3600, 0)])
def test_the_start_of_an_instance_is_paid_for_and_its_idling_is_not(
    store: Store, prices: Prices, started_s: float, start_s: float
) -> None:
    job = manifest(targets=("container",))
    store.create(naming.manifest_name(JOB), dump(job), JSON_TYPE)
    started = START + timedelta(seconds=started_s)
    cold = record(0, "container", instance_started_at=started, cold_start=True)
    store.create(naming.record_name(JOB, "container", 0), dump(cold), JSON_TYPE)
    (found,) = job_cost(store, JOB, prices).targets
    assert found.seconds == pytest.approx(billed_s(cold.process_s + start_s, prices))


def test_attempts_of_failed_and_dead_tasks_are_counted(store: Store, prices: Prices) -> None:
    job = manifest(targets=("container",))
    store.create(naming.manifest_name(JOB), dump(job), JSON_TYPE)
    common = {"job_id": JOB, "publication": 0, "target": "container", "message_id": "m"}
    failure = Failure(
        **common, **WORK, task_index=0, delivery_id="d", delivery_attempt=4, instance_id="i", error="bad",
        detail="", received_at=START, failed_at=START,
    )  # fmt: skip
    dead = DeadLetter(**common, task_index=1, attempts=100, last_error="503", dead_at=START)
    store.create(naming.failure_name(JOB, "container", 0, 0, "d"), dump(failure), JSON_TYPE)
    store.create(naming.deadletter_name(JOB, "container", 1, 0), dump(dead), JSON_TYPE)
    (found,) = job_cost(store, JOB, prices).targets
    assert (found.wasted.failures, found.wasted.unrecorded) == (1, 103)
    assert found.usage.requests == 104
    assert found.usage.pubsub_bytes == pytest.approx(1000 * (3 + 3 + 2 + 100))


def test_attempts_that_left_nothing_are_counted_and_damage_is_told(store: Store, prices: Prices) -> None:
    job = manifest(targets=("container",))
    store.create(naming.manifest_name(JOB), dump(job), JSON_TYPE)
    entries = tuple(write_image(store, job, "container", index) for index in range(4))
    again = record(0, "container", entries, delivery_attempt=3)
    store.create(naming.record_name(JOB, "container", 0), dump(again), JSON_TYPE)
    store.create(naming.record_name(JOB, "container", 1), b"{", JSON_TYPE)
    found = job_cost(store, JOB, prices).targets[0]
    assert (found.wasted.unrecorded, found.unreadable, found.tasks) == (2, 1, 1)
    assert found.usage.requests == 3
    # A copy of the first one: its work was done once.
    store.create(naming.record_name(JOB, "container", 2), dump(again), JSON_TYPE)
    moved = job_cost(store, JOB, prices).targets[0]
    assert (moved.unreadable, moved.tasks, moved.images) == (2, 1, 4)


def test_a_pool_of_ones_own_costs_no_computing(store: Store, prices: Prices) -> None:
    write_job(store, manifest(targets=("celery",)))
    (found,) = job_cost(store, JOB, prices).targets
    assert (found.usage.vcpu_s, found.usage.pubsub_bytes, found.service) == (0, 0, "own")
    assert found.bill.operations > 0


def test_no_job_is_told(store: Store, prices: Prices) -> None:
    with pytest.raises(JobNotFound):
        job_cost(store, "nope", prices)


def test_dollars_keep_figures_that_say_something() -> None:
    amounts = (0, 1e-8, 0.0000123, 0.00123, 0.034, 12.3, 1234567.891, None)
    assert [dollars(amount) for amount in amounts] == [
        "$0", "<$0.000001", "$0.000012", "$0.0012", "$0.0340", "$12.30", "$1,234,567.89", "–",
    ]  # fmt: skip


def test_the_submission_is_a_row_of_its_own(prices: Prices) -> None:
    found = bill({SUBMISSION: Usage(class_a=1000)}, prices)
    assert found[SUBMISSION].total == pytest.approx(0.005)
