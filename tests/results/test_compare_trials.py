"""Several jobs as trials: alike or refused, decided from 20 on, by the records alone."""

from __future__ import annotations

from datetime import timedelta
from math import log
from typing import Any

import pytest

from results.comparison.compare import ComparisonError, compare, read_trials
from results.comparison.schema import Comparison, TrialRatio
from results.statistics.verdict import MIN_TRIALS
from results.stores.directory import DirectoryStore
from tests.support.builders.compare_jobs import put, put_manifest, put_trial
from tests.support.builders.pictures import START


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of records are written here, and none has to outlive the power."""
    monkeypatch.setattr("os.fsync", lambda _: None)


def compared(store: DirectoryStore, names: list[str], **options: Any) -> Comparison:
    return compare(store, read_trials(store, names), **options)


def trials_of(store: DirectoryStore, count: int = MIN_TRIALS, **options: Any) -> list[str]:
    return [put_trial(store, number, **options) for number in range(count)]


def ratio(found: Comparison, quantity: str, warmth: str = "warm") -> TrialRatio:
    assert found.trials
    (one,) = (r for r in found.trials.ratios if (r.quantity, r.warmth) == (quantity, warmth))
    return one


def test_an_injected_effect_is_found(directory_store: DirectoryStore) -> None:
    found = compared(directory_store, trials_of(directory_store, effect=log(1.3)))
    process = ratio(found, "process_s")
    assert process.verdict == "container faster"
    assert process.geometric_mean == pytest.approx(1 / 1.3, rel=0.03)
    assert process.low is not None
    assert process.high is not None
    assert process.low < 1 / 1.3 < process.high
    assert ratio(found, "cpu_s_per_image").verdict == "container uses less"
    assert found.note == f"{MIN_TRIALS} trials"
    assert found.ratios == ()


def test_no_effect_is_equivalent_within_the_margin(directory_store: DirectoryStore) -> None:
    names = trials_of(directory_store, sd=0.01)
    assert ratio(compared(directory_store, names), "process_s").verdict == "equivalent"
    narrow = ratio(compared(directory_store, names, margin=0.001), "process_s")
    assert narrow.verdict == "inconclusive"
    assert narrow.trials_needed
    assert narrow.trials_needed > 100 * MIN_TRIALS / 20


def test_nineteen_trials_describe(directory_store: DirectoryStore) -> None:
    found = compared(directory_store, trials_of(directory_store, MIN_TRIALS - 1, effect=log(2)))
    process = ratio(found, "process_s")
    assert (process.trials, process.verdict, process.low, process.p_value) == (19, None, None, None)
    assert process.geometric_mean == pytest.approx(0.5, rel=0.05)
    assert found.note == "19 trials: descriptive, a verdict needs 20"


def test_cold_tasks_are_questions_of_their_own(directory_store: DirectoryStore) -> None:
    found = compared(directory_store, trials_of(directory_store, effect=log(1.3)))
    cold, without = (ratio(found, name, "cold") for name in ("process_s", "process_without_load_s"))
    # The load, of 1 s on both, dilutes the difference.
    assert without.geometric_mean == pytest.approx(1 / 1.3, rel=0.04)
    assert cold.geometric_mean == pytest.approx((1 + 1) / (1.3 + 1), rel=0.03)
    warm_only = compared(directory_store, [put_trial(directory_store, n, cold=False) for n in range(30, 50)])
    assert ratio(warm_only, "process_s", "cold").trials == 0
    assert ratio(warm_only, "process_s").trials == 20


def test_equal_seeds_give_equal_answers(directory_store: DirectoryStore) -> None:
    names = trials_of(directory_store, sd=0.1)
    first, again, other = (compared(directory_store, names, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert [one.trials and one.trials.seed for one in (first, other)] == [1, 2]
    assert ratio(first, "process_s").low != ratio(other, "process_s").low


def test_the_order_of_the_names_does_not_matter(directory_store: DirectoryStore) -> None:
    names = trials_of(directory_store, 3)
    assert compared(directory_store, names) == compared(directory_store, names[::-1])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "scenes"}, "no trials of one another: their model is faces-64 and scenes"),
        ({"count": 12}, "their count is 16 and 12"),
        ({"params": {"prompt": "x"}}, "their params is"),
        ({"targets": ("container",)}, "their targets is container, function and container"),
    ],
)
def test_jobs_that_are_not_alike_are_refused(
    directory_store: DirectoryStore, changes: dict[str, Any], told: str
) -> None:
    names = [put_trial(directory_store, 0), put_trial(directory_store, 1, **changes)]
    with pytest.raises(ComparisonError, match=told):
        compared(directory_store, names)


def test_a_job_counts_once(directory_store: DirectoryStore) -> None:
    name = put_trial(directory_store, 0)
    with pytest.raises(ComparisonError, match="named twice"):
        compared(directory_store, [name, name])


@pytest.mark.parametrize(("later_s", "overlap"), [(2.0, True), (60.0, False)])
def test_trials_that_overlap_are_told(directory_store: DirectoryStore, later_s: float, overlap: bool) -> None:
    for name, begin in (("first", START), ("second", START + timedelta(seconds=later_s))):
        put_manifest(directory_store, job_id=name, count=4, submitted_at=begin)
        put(directory_store, 0, "container", 3.0, job=name, publication_started_at=begin)
        put(directory_store, 0, "function", 3.0, job=name, publication_started_at=begin)
    remarks = compared(directory_store, ["first", "second"]).remarks
    assert any("not independent" in remark for remark in remarks) == overlap
