"""The comparison: what is pooled, what is left out, what is paired, and what is said of it."""

from __future__ import annotations

import os
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from results.compare import compare_job
from results.compare_documents import Comparison
from results.compare_table import comparison_table
from results.documents import JSON_TYPE, Target, dump
from results.errors import JobNotFound
from results.naming import manifest_name, record_name
from results.stores.base import Store
from results.stores.directory import DirectoryStore
from tests.results.pictures import JOB, START, manifest, record


def put(store: DirectoryStore, task: int, target: Target, round_trip_s: float, **values: Any) -> None:
    """Write a record that the store will say was created `round_trip_s` after the publication started."""
    name = record_name(JOB, target, task)
    store.create(name, dump(record(task, target, **values)), JSON_TYPE)
    created_s = (START + timedelta(seconds=round_trip_s)).timestamp()
    os.utime(store.root / name, (created_s, created_s))


@pytest.fixture
def compared(directory_store: DirectoryStore) -> Comparison:
    """Five tasks on each target: one cold, one with found images on the container, the rest warm."""
    store = directory_store
    store.create(manifest_name(JOB), dump(manifest(count=20)), JSON_TYPE)
    cold = {"cold_start": True, "prior_requests": 0, "model_load_s": 1.0, "process_s": 4.0}
    put(store, 0, "container", 6.0, **cold)
    put(store, 1, "container", 2.0, process_s=1.0, cpu_user_s=0.8, cpu_system_s=0.0)
    put(store, 2, "container", 4.0, process_s=1.0, cpu_user_s=0.8, cpu_system_s=0.0)
    put(store, 3, "container", 99.0, images_found=2, images_painted=2)
    put(store, 4, "container", 3.0, process_s=1.0, rss_peak_bytes=500 * 2**20)
    put(store, 0, "function", 8.0, **cold)
    put(store, 1, "function", 1.0, process_s=0.5, cpu_user_s=0.4, cpu_system_s=0.0)
    put(store, 2, "function", 1.0, process_s=0.5, cpu_user_s=0.4, cpu_system_s=0.0)
    put(store, 3, "function", 5.0)
    put(store, 4, "function", 9.0, **cold, instance_id="function-2", threads=2)
    return compare_job(store, JOB)


def test_cold_and_warm_tasks_are_kept_apart(compared: Comparison) -> None:
    container, function = compared.targets
    assert (container.tasks, container.left_out, container.instances) == (5, 1, 1)
    assert (function.tasks, function.left_out, function.instances) == (5, 0, 2)
    assert (container.cold.tasks, container.warm.tasks) == (1, 3)
    assert (function.cold.tasks, function.warm.tasks) == (2, 3)
    assert container.cold.process_s is not None
    assert container.cold.process_without_load_s is not None
    assert (container.cold.process_s.median, container.cold.process_without_load_s.median) == (4.0, 3.0)


def test_found_images_keep_a_record_out(compared: Comparison) -> None:
    spread = compared.targets[0].warm.round_trip_s
    assert spread is not None
    assert (spread.n, spread.median, spread.minimum, spread.maximum) == (3, 3.0, 2.0, 4.0)
    latency = compared.targets[0].warm.latency_s
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


def text_of(comparison: Comparison, width: int = 120) -> str:
    console = Console(width=width, file=StringIO())
    with console.capture() as captured:
        console.print(comparison_table(comparison))
    return captured.get()


def test_the_table_shows_it_all(compared: Comparison) -> None:
    text = text_of(compared)
    for part in (
        "gunicorn against functions-framework on this machine",
        "one run: descriptive",
        "container: 1 of 5 tasks left out",
        "not equal: threads: container 1, function 1 or 2",
        "2.00–4.00 s",
        "2 pairs",
        "2.83",
        "500 MiB",
        "without load",
    ):
        assert part in text


def test_a_job_without_records_is_shown_as_such(store: Store) -> None:
    store.create(manifest_name(JOB), dump(manifest(targets=("function",))), JSON_TYPE)
    empty = compare_job(store, JOB)
    assert empty.ratios == ()
    assert (empty.targets[0].tasks, empty.targets[0].rss_peak_bytes) == (0, None)
    assert "–" in text_of(empty)


def test_elsewhere_it_does_not_say_this_machine(gcs_store: Store) -> None:
    gcs_store.create(manifest_name(JOB), dump(manifest()), JSON_TYPE)
    assert compare_job(gcs_store, JOB).title == "container against function"


def test_an_unknown_job_is_told(store: Store) -> None:
    with pytest.raises(JobNotFound, match="no job 'nothing' in "):
        compare_job(store, "nothing")


def test_three_targets_are_compared_with_the_first(directory_store: DirectoryStore) -> None:
    targets: tuple[Target, ...] = ("container", "function", "celery")
    directory_store.create(manifest_name(JOB), dump(manifest(targets=targets)), JSON_TYPE)
    for number, target in enumerate(targets):
        put(directory_store, 0, target, 4.0 / 2**number)
    compared = compare_job(directory_store, JOB)
    means = {(r.second, r.quantity): r.geometric_mean for r in compared.ratios if r.warmth == "warm"}
    assert means["function", "round_trip_s"] == pytest.approx(2.0)
    assert means["celery", "round_trip_s"] == pytest.approx(4.0)
    text = text_of(compared, 80)
    assert "celery" in text
    # Each target has served one warm task: no column for cold ones, so that nothing is cut short.
    assert ("cold" in text.splitlines()[3], text.splitlines()[4].split(), "…" in text) == (
        False,
        ["warm"] * 3,
        False,
    )
