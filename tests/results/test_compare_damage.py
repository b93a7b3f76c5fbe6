"""Damaged records: left out of a comparison and told, never half of a pair, and no verdict where many are."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import log
from typing import Any

import pytest

from results.comparison.compare import compare, compare_job, read_trials
from results.comparison.schema import Comparison, TrialRatio, Warmth
from results.documents import JSON_TYPE, DeadLetter, dump
from results.naming import deadletter_name, record_name, records_prefix
from results.statistics.verdict import MIN_TRIALS
from results.stores.base import Store
from results.stores.directory import DirectoryStore
from results.targets import Target
from tests.support.builders.compare_jobs import COLD, entries, put, put_manifest, put_trial, text_of
from tests.support.builders.pictures import JOB, START, write_job

Damage = Callable[[bytes], bytes]
NAME = record_name(JOB, "function", 1)


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of records are written here, and none has to outlive the power."""
    monkeypatch.setattr("os.fsync", lambda _: None)


def cut(data: bytes) -> bytes:
    return data[:100]


def edited(**values: Any) -> Damage:
    return lambda data: json.dumps(json.loads(data) | values).encode()


def damage(store: Store, target: Target, task: int, how: Damage = cut, job: str = JOB) -> str:
    """Replace a record by what damage makes of it; returns its name."""
    name = record_name(job, target, task)
    data = how(store.read(name))
    store.delete(name)
    store.create(name, data, JSON_TYPE)
    return name


def ratio(found: Comparison, quantity: str, warmth: Warmth = "warm") -> TrialRatio:
    assert found.trials
    (one,) = (r for r in found.trials.ratios if (r.quantity, r.warmth) == (quantity, warmth))
    return one


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (cut, f"{NAME} cannot be read: it is cut off or no JSON"),
        (lambda _: b"", f"{NAME} cannot be read: it is cut off or no JSON"),
        (lambda _: b"\xff\x00", f"{NAME} cannot be read: "),
        (edited(schema="diptych.record/2"), f"{NAME} cannot be read: schema is 'diptych.record/2'"),
        (edited(process_s=-1), f"{NAME} cannot be read: process_s"),
        (edited(process_s=float("nan")), f"{NAME} cannot be read: "),
        (edited(task_index=0), f"{NAME} says that it is task 0 of function in job {JOB}: it has been moved"),
        (edited(target="container"), f"{NAME} says that it is task 1 of container in job {JOB}"),
        (edited(job_id="other"), f"{NAME} says that it is task 1 of function in job other"),
        (
            edited(images=[{**entries([3])[0].model_dump()}]),
            f"{NAME} lists images that are not its task's",
        ),
        (edited(images=[entries([4])[0].model_dump()] * 2), "or one of them twice"),
    ],
)
def test_a_record_that_cannot_be_trusted_is_left_out_and_named(store: Store, how: Damage, told: str) -> None:
    write_job(store)
    damage(store, "function", 1, how)
    found = compare_job(store, JOB)
    container, function = found.targets
    assert (container.tasks, container.unreadable, container.why_unreadable) == (3, 0, "")
    assert (function.tasks, function.unreadable, function.images) == (2, 1, 6)
    assert told in function.why_unreadable
    assert "\n" not in function.why_unreadable
    # Of two warm tasks on each, one is left to be paired, and its images are left to be compared.
    assert {one.pairs for one in found.ratios if one.warmth == "warm"} == {1}
    assert found.parity[0].images == 6
    # The task is done: its record is there.
    assert (function.errors.ended, function.errors.failed, found.jobs[0].status) == (3, 0, "succeeded")
    assert Comparison.model_validate_json(found.model_dump_json()) == found


def test_a_pair_with_one_side_missing_is_no_pair(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=16)
    for task, (first_s, second_s) in enumerate([(2.0, 1.0), (50.0, 1.0), (1.0, 50.0), (8.0, 2.0)]):
        put(directory_store, task, "container", first_s)
        put(directory_store, task, "function", second_s)
    damage(directory_store, "container", 2)
    damage(directory_store, "function", 1)
    found = {one.quantity: one for one in compare_job(directory_store, JOB).ratios if one.warmth == "warm"}
    assert found["round_trip_s"].pairs == 2
    assert found["round_trip_s"].geometric_mean == pytest.approx(8**0.5)
    assert (found["round_trip_s"].minimum, found["round_trip_s"].maximum) == pytest.approx((2.0, 4.0))


def test_the_first_reason_is_that_of_the_first_record(directory_store: DirectoryStore) -> None:
    write_job(directory_store)
    damage(directory_store, "container", 2)
    first = damage(directory_store, "container", 1, edited(job_id="other"))
    (container, _) = compare_job(directory_store, JOB).targets
    assert container.unreadable == 2
    assert container.why_unreadable.startswith(f"{first} says ")


def test_what_is_no_record_of_the_job_is_no_damage_but_a_task_too_many_is(
    directory_store: DirectoryStore,
) -> None:
    write_job(directory_store)
    folder = directory_store.root / records_prefix(JOB, "function")
    (folder / "000001.json.bak").write_bytes(b"{")
    (folder / "notes.txt").write_bytes(b"mine")
    function = compare_job(directory_store, JOB).targets[1]
    assert (function.tasks, function.unreadable) == (3, 0)
    (folder / "000003.json").write_bytes((folder / "000002.json").read_bytes())
    function = compare_job(directory_store, JOB).targets[1]
    assert (function.tasks, function.unreadable) == (3, 1)
    assert function.why_unreadable.endswith("000003.json is of task 3, and the job's last one is 2")


def test_one_run_with_many_damaged_says_that_it_may_be_biased(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=16)
    for task in range(4):
        put(directory_store, task, "container", 2.0, **(COLD if task == 0 else {}))
        put(directory_store, task, "function", 1.0, **(COLD if task == 0 else {}))
    name = damage(directory_store, "container", 2)
    found = compare_job(directory_store, JOB)
    warm, cold = (
        {one.bias_warning for one in found.ratios if one.warmth == warmth} for warmth in ("warm", "cold")
    )
    assert warm == {"container: 1 damaged of at most 3 warm tasks, over 1%"}
    assert cold == {"container: 1 damaged of at most 2 cold tasks, over 1%"}
    container, function = found.targets
    # With a quarter of its images missing, the rate would tell of the damage.
    assert (container.images_per_s, function.images_per_s is None) == (None, False)
    text = " ".join(text_of(found).split())
    assert f"container: 1 of 4 records left out, since damaged; the first: {name} cannot be read:" in text
    assert "container: no images per second where over 1% of a job's records are damaged" in text
    assert text.count("warm ratios may be biased: container: 1 damaged of at most 3 warm tasks") == 1


def test_one_in_a_hundred_is_told_and_no_more(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=400)
    for task in range(100):
        put(directory_store, task, "container", 4.0)
        put(directory_store, task, "function", 3.0)
    damage(directory_store, "function", 50)
    found = compare_job(directory_store, JOB)
    warm = [one for one in found.ratios if one.warmth == "warm"]
    assert {(one.pairs, one.bias_warning) for one in warm} == {(99, "")}
    assert found.targets[1].images_per_s is not None
    text = " ".join(text_of(found).split())
    assert "function: 1 of 100 records left out, since damaged" in text
    assert "biased" not in text
    assert "no images per second" not in text
    damage(directory_store, "function", 51)
    assert "function: 2 damaged of at most 100 warm tasks, over 1%" in text_of(
        compare_job(directory_store, JOB)
    )


@pytest.fixture
def trials(directory_store: DirectoryStore) -> list[str]:
    """Trials with 100 warm tasks on each target and a cold one in each trial; the container is faster."""
    return [put_trial(directory_store, number, effect=log(1.3), tasks=6) for number in range(MIN_TRIALS)]


def compared(store: Store, trials: list[str], **options: Any) -> Comparison:
    return compare(store, read_trials(store, trials), **options)


def test_few_damaged_records_leave_the_verdict(directory_store: DirectoryStore, trials: list[str]) -> None:
    damage(directory_store, "function", 3, job=trials[4])
    found = compared(directory_store, trials)
    process = ratio(found, "process_s")
    assert (process.trials, process.verdict, process.bias_warning) == (MIN_TRIALS, "container faster", "")
    assert (found.targets[1].unreadable, found.targets[1].tasks) == (1, 119)
    # Of a margin of 1% a fifth may be missing, and this is more.
    narrow = ratio(compared(directory_store, trials, margin=0.01), "process_s")
    assert narrow.bias_warning == "function: 1 damaged of at most 100 warm tasks, over 0.2%"
    assert narrow.verdict == "inconclusive"
    assert f"jobs/{trials[4]}/function/records/000003.json" in found.targets[1].why_unreadable
    # It may have been a cold one, and of those there are few.
    cold = ratio(found, "process_s", "cold")
    assert (cold.trials, cold.verdict) == (MIN_TRIALS, "inconclusive")
    assert cold.bias_warning == "function: 1 damaged of at most 21 cold tasks, over 1%"


@pytest.mark.parametrize("effect", [log(1.3), 0.0])
def test_many_damaged_records_decide_nothing(directory_store: DirectoryStore, effect: float) -> None:
    trials = [put_trial(directory_store, n, effect=effect, sd=0.01, tasks=6) for n in range(MIN_TRIALS)]
    before = ratio(compared(directory_store, trials), "process_s")
    assert before.verdict == ("container faster" if effect else "equivalent")
    for task in (3, 5):
        damage(directory_store, "function", task, job=trials[4])
    found = compared(directory_store, trials)
    after = ratio(found, "process_s")
    assert after.geometric_mean == pytest.approx(before.geometric_mean, rel=0.01)
    assert (after.verdict, after.trials_needed) == ("inconclusive", None)
    assert after.bias_warning == "function: 2 damaged of at most 100 warm tasks, over 1%"
    assert found.trials
    assert {one.verdict for one in found.trials.ratios} == {"inconclusive"}
    text = " ".join(text_of(found).split())
    told = "ratios may be biased, and decide nothing: function: 2 damaged of at most"
    assert text.count(told) == text.count(f"warm {told}") + text.count(f"cold {told}") == 2


def test_failures_and_tasks_not_done_decide_nothing_either(
    directory_store: DirectoryStore, trials: list[str]
) -> None:
    """The slow ones: they failed at their deadline, or are still to come."""
    for task in (3, 5):
        (directory_store.root / record_name(trials[4], "function", task)).unlink()
    dead = DeadLetter(
        job_id=trials[4],
        task_index=5,
        publication=0,
        target="function",
        message_id="m",
        attempts=100,
        last_error="too slow",
        dead_at=START,
    )
    directory_store.create(deadletter_name(trials[4], "function", 5, 0), dump(dead), JSON_TYPE)
    found = compared(directory_store, trials)
    process = ratio(found, "process_s")
    assert process.bias_warning == "function: 1 failed, 1 not done of at most 100 warm tasks, over 1%"
    assert process.verdict == "inconclusive"


def test_a_trial_whose_cold_record_is_damaged_has_no_cold_value(
    directory_store: DirectoryStore, trials: list[str]
) -> None:
    damage(directory_store, "container", 0, job=trials[7])
    cold = ratio(compared(directory_store, trials), "process_s", "cold")
    assert (cold.trials, cold.verdict) == (MIN_TRIALS - 1, None)
    assert cold.bias_warning == "container: 1 damaged of at most 20 cold tasks, over 1%"


def test_damage_of_one_target_does_not_touch_the_others(directory_store: DirectoryStore) -> None:
    targets: tuple[Target, ...] = ("container", "function", "celery")
    names = [put_trial(directory_store, n, effect=log(1.3), targets=targets) for n in range(MIN_TRIALS)]
    for name in names[:3]:
        damage(directory_store, "celery", 2, job=name)
    found = compared(directory_store, names).trials
    assert found
    verdicts = {
        one.second: one.verdict for one in found.ratios if (one.quantity, one.warmth) == ("process_s", "warm")
    }
    assert verdicts["function"] == "container faster"
    assert verdicts["celery"] == "inconclusive"
