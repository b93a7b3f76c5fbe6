"""The comparison: what is pooled, what is left out, what is paired, and what is said of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from results.comparison.compare import compare_job
from results.comparison.schema import Comparison
from results.documents import JSON_TYPE, DeadLetter, Failure, dump
from results.errors import JobNotFound
from results.naming import deadletter_name, failure_name, manifest_name
from results.stores.base import Store
from results.stores.directory import DirectoryStore
from results.targets import Target
from tests.support.builders.compare_jobs import COLD, entries, put, put_manifest
from tests.support.builders.pictures import JOB, START, manifest, write_job


@pytest.fixture
def compared(directory_store: DirectoryStore) -> Comparison:
    """Five tasks on each target: one cold, one with found images on the container, the rest warm."""
    store = directory_store
    store.create(manifest_name(JOB), dump(manifest(count=20)), JSON_TYPE)
    put(store, 0, "container", 6.0, **COLD)
    put(store, 1, "container", 2.0, process_s=1.0, cpu_user_s=0.8, cpu_system_s=0.0)
    put(store, 2, "container", 4.0, process_s=1.0, cpu_user_s=0.8, cpu_system_s=0.0)
    put(store, 3, "container", 99.0, images_found=2, images_painted=2)
    put(store, 4, "container", 3.0, process_s=1.0, rss_peak_bytes=500 * 2**20)
    put(store, 0, "function", 8.0, **COLD)
    put(store, 1, "function", 1.0, process_s=0.5, cpu_user_s=0.4, cpu_system_s=0.0)
    put(store, 2, "function", 1.0, process_s=0.5, cpu_user_s=0.4, cpu_system_s=0.0)
    put(store, 3, "function", 5.0)
    put(store, 4, "function", 9.0, **COLD, instance_id="function-2", threads=2)
    return compare_job(store, JOB)


def test_cold_and_warm_tasks_are_kept_apart(compared: Comparison) -> None:
    container, function = compared.targets
    assert (container.tasks, container.left_out, container.instances) == (5, 1, 1)
    assert (function.tasks, function.left_out, function.instances) == (5, 0, 2)
    assert (container.cold.tasks, container.warm.tasks) == (1, 3)
    assert (function.cold.tasks, function.warm.tasks) == (2, 3)
    whole, rest = container.cold.of("process_s"), container.cold.of("process_without_load_s")
    assert whole is not None
    assert rest is not None
    assert (whole.median, rest.median) == (4.0, 3.0)


def test_the_first_task_that_an_instance_generates_is_cold(directory_store: DirectoryStore) -> None:
    """It is so however many deliveries the instance acknowledged before: the load is in no warm median."""
    put_manifest(directory_store, count=12)
    loaded = COLD | {"prior_requests": 1, "model_load_s": 2.25, "process_s": 3.25}
    put(directory_store, 0, "container", 6.0, **loaded)
    for task in (1, 2):
        put(directory_store, task, "container", 4.0, prior_requests=task + 1, process_s=1.0)
    container = compare_job(directory_store, JOB).targets[0]
    assert (container.cold.tasks, container.warm.tasks, container.warm.loading) == (1, 2, 0)
    load = container.cold.of("model_load_s")
    warm = container.warm.of("process_s")
    assert load is not None
    assert warm is not None
    assert (load.median, warm.median) == (2.25, 1.0)


def test_found_images_keep_a_record_out(compared: Comparison) -> None:
    spread = compared.targets[0].warm.of("round_trip_s")
    assert spread is not None
    assert (spread.n, spread.median, spread.minimum, spread.maximum) == (3, 3.0, 2.0, 4.0)
    latency = compared.targets[0].warm.of("latency_s")
    assert latency is not None
    assert (latency.minimum, latency.maximum) == (1.0, 3.0)


def test_ratios_are_paired_by_warm_task(compared: Comparison) -> None:
    ratios = {ratio.quantity: ratio for ratio in compared.ratios if ratio.warmth == "warm"}
    # Tasks 1 and 2 are warm on both: 2/1 and 4/1, whose geometric mean is the root of 8.
    assert ratios["round_trip_s"].pairs == 2
    assert ratios["round_trip_s"].geometric_mean == pytest.approx(8**0.5)
    assert ratios["process_s"].geometric_mean == pytest.approx(2.0)
    assert ratios["latency_s"].geometric_mean == pytest.approx((2 * 6) ** 0.5)
    assert ratios["cpu_s_per_image"].geometric_mean == pytest.approx(2.0)


def test_memory_is_the_highest_of_what_is_kept(compared: Comparison) -> None:
    assert [summary.rss_peak_bytes for summary in compared.targets] == [500 * 2**20, 300 * 2**20]


def test_it_says_what_it_is(compared: Comparison) -> None:
    assert compared.title == "gunicorn against functions-framework on this machine"
    assert compared.note == "one run: descriptive"
    assert compared.differences == ("threads: container 1, function 1 or 2",)
    assert Comparison.model_validate_json(compared.model_dump_json()) == compared


def test_a_latency_below_zero_is_not_in_a_ratio(directory_store: DirectoryStore) -> None:
    directory_store.create(manifest_name(JOB), dump(manifest()), JSON_TYPE)
    put(directory_store, 0, "container", 1.0, process_s=2.0)
    put(directory_store, 0, "function", 3.0, process_s=2.0)
    found = compare_job(directory_store, JOB)
    ratios = {ratio.quantity: ratio for ratio in found.ratios if ratio.warmth == "warm"}
    assert (ratios["latency_s"].pairs, ratios["latency_s"].geometric_mean) == (0, None)
    assert ratios["round_trip_s"].geometric_mean == pytest.approx(1 / 3)


def test_a_job_without_records_is_shown_as_such(store: Store) -> None:
    store.create(manifest_name(JOB), dump(manifest(targets=("function",))), JSON_TYPE)
    empty = compare_job(store, JOB)
    assert empty.ratios == ()
    assert (empty.targets[0].tasks, empty.targets[0].rss_peak_bytes) == (0, None)


def test_elsewhere_it_does_not_say_this_machine(gcs_store: Store) -> None:
    gcs_store.create(manifest_name(JOB), dump(manifest()), JSON_TYPE)
    assert compare_job(gcs_store, JOB).title == "container against function"


def test_an_unknown_job_is_told(store: Store) -> None:
    with pytest.raises(JobNotFound, match="no job 'nothing' in "):
        compare_job(store, "nothing")


def test_three_targets_are_compared_with_the_first(directory_store: DirectoryStore) -> None:
    targets: tuple[Target, ...] = ("container", "function", "celery")
    put_manifest(directory_store, targets=targets)
    for number, target in enumerate(targets):
        put(directory_store, 0, target, 4.0 / 2**number)
    compared = compare_job(directory_store, JOB)
    means = {(r.second, r.quantity): r.geometric_mean for r in compared.ratios if r.warmth == "warm"}
    assert means["function", "round_trip_s"] == pytest.approx(2.0)
    assert means["celery", "round_trip_s"] == pytest.approx(4.0)


def test_cold_tasks_are_compared_by_their_means(compared: Comparison) -> None:
    ratios = {ratio.quantity: ratio for ratio in compared.ratios if ratio.warmth == "cold"}
    assert ratios["round_trip_s"].geometric_mean == pytest.approx(6.0 / (8.0 * 9.0) ** 0.5)
    assert ratios["round_trip_without_load_s"].geometric_mean == pytest.approx(5.0 / (7.0 * 8.0) ** 0.5)
    assert (ratios["round_trip_s"].pairs, ratios["round_trip_s"].geometric_sd) == (1, None)


def test_the_spread_of_the_pairs_is_a_factor(compared: Comparison) -> None:
    ratios = {ratio.quantity: ratio for ratio in compared.ratios if ratio.warmth == "warm"}
    # Log ratios log 2 and log 4: their standard deviation is log 2 / root 2.
    assert ratios["round_trip_s"].geometric_sd == pytest.approx(2 ** (1 / 2**0.5))
    assert (ratios["round_trip_s"].minimum, ratios["round_trip_s"].maximum) == pytest.approx((2.0, 4.0))


def test_the_stages_add_up_to_the_round_trip(compared: Comparison) -> None:
    warm = compared.targets[1].warm
    spreads = [warm.of(name) for name in ("queue_s", "process_s", "commit_s", "round_trip_s")]
    queue, process, commit, whole = (spread.mean for spread in spreads if spread)
    assert queue + process + commit == pytest.approx(whole)


def test_percentiles_come_with_the_sample_they_need(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=160)
    for task in range(40):
        put(directory_store, task, "container", 3.0 + task)
    container, function = compare_job(directory_store, JOB).targets
    spread = container.warm.of("round_trip_s")
    assert spread is not None
    p50, p90, p95, p99 = spread.percentiles
    assert (p50.value, p50.low, p50.high) == (22.5, 16.0, 29.0)
    assert (p90.needed, p90.high) == (36, 42.0)
    assert (p95.needed, p95.value, p95.low, p95.high) == (72, None, None, None)
    assert (p99.needed, p99.value) == (368, None)
    assert function.warm.of("round_trip_s") is None


def test_throughput_counts_from_the_publication_to_the_last_record(compared: Comparison) -> None:
    rate = compared.targets[0].images_per_s
    assert rate is not None
    # The record left out is the last one, and its images are there: 20 images in 99 s.
    assert rate.median == pytest.approx(20 / 99)


def test_tasks_that_failed_are_a_rate(directory_store: DirectoryStore) -> None:
    store = directory_store
    put_manifest(store, count=16)
    put(store, 0, "container", 3.0)
    put(store, 1, "container", 3.0)
    work = {"process_s": 1, "cpu_user_s": 1, "cpu_system_s": 0, "images_painted": 0, "images_found": 0}
    common = {"job_id": JOB, "publication": 0, "target": "container", "message_id": "m"}
    stamps = {"received_at": START, "failed_at": START + timedelta(seconds=1)}
    failure = Failure(
        task_index=2,
        delivery_id="d",
        instance_id="i",
        error="bad_model",
        detail="",
        **work,
        **common,
        **stamps,
    )
    store.create(failure_name(JOB, "container", 2, 0, "d"), dump(failure), JSON_TYPE)
    dead = DeadLetter(task_index=3, attempts=5, last_error="busy", dead_at=START, **common)
    store.create(deadletter_name(JOB, "container", 3, 0), dump(dead), JSON_TYPE)
    container, function = (summary.errors for summary in compare_job(store, JOB).targets)
    assert (container.ended, container.failed, container.rate) == (4, 2, 0.5)
    assert container.low == pytest.approx(0.150, abs=0.001)
    assert (function.ended, function.rate, function.low) == (0, None, None)


def test_an_unfinished_job_is_said_to_be_one(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store)
    put(directory_store, 0, "container", 3.0)
    compared = compare_job(directory_store, JOB)
    assert compared.remarks == ("not all tasks are in: job-a is running",)
    assert all(ratio.geometric_mean is None and ratio.pairs == 0 for ratio in compared.ratios)


def test_preloaded_and_not_are_never_mixed(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=4)
    put(directory_store, 0, "container", 3.0, preloaded=True)
    put(directory_store, 0, "function", 3.0)
    compared = compare_job(directory_store, JOB)
    assert compared.ratios == ()
    assert compared.remarks[0].startswith(
        "no ratios: some tasks ran on instances that had loaded their model"
    )


def test_warm_tasks_that_loaded_the_model_are_counted(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=4)
    put(directory_store, 0, "container", 3.0, model_load_s=0.5)
    assert compare_job(directory_store, JOB).targets[0].warm.loading == 1


def test_equal_images_are_counted_by_their_hashes(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=8)
    put(directory_store, 0, "container", 3.0, images=entries(range(4)))
    put(directory_store, 0, "function", 3.0, images=entries([0, 1]) + entries([2], file="other"))
    put(directory_store, 1, "container", 3.0, images=entries(range(4, 8)))
    (parity,) = compare_job(directory_store, JOB).parity
    assert (parity.images, parity.same_bytes, parity.same_pixels, parity.looked_at) == (3, 2, 3, 0)


def test_on_a_bucket_it_says_the_same(directory_store: DirectoryStore, gcs_store: Store) -> None:
    for store in (directory_store, gcs_store):
        write_job(store)
    there, here = (compare_job(store, JOB) for store in (gcs_store, directory_store))
    assert there.parity == here.parity
    assert there.parity[0].same_bytes == 10
    in_bucket, in_folder = ([one.warm.of("process_s") for one in side.targets] for side in (there, here))
    assert in_bucket == in_folder
