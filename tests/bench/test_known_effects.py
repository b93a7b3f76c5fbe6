"""The tally of experiments whose answer is known: what counts as right, and what as missed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from benchmarks.statistics.known_effects import EFFECTS, KINDS, judge, run, summary, trials


def chosen(out: Path, **changed: Any) -> argparse.Namespace:
    asked = {"repeats": 4, "effects_repeats": 2, "pairs": 20, "warm": 2, "images": 1, "model": "faces-64"}
    return argparse.Namespace(out=out, **{**asked, **changed})


def question(verdict: str | None, low: float | None = 0.9) -> dict[str, Any]:
    return {"verdict": verdict, "ratio": 0.95, "low": low, "high": 1.0, "sd_of_log_ratio": 0.1}


def test_each_trial_has_conditions_of_its_own(tmp_path: Path) -> None:
    planned = list(trials(chosen(tmp_path)))
    assert len({trial.name for trial in planned}) == len(planned) == 4 + 2 * len(EFFECTS)
    equal = [trial for trial in planned if trial.effect == "none"]
    assert {trial.kind for trial in equal} == set(KINDS)
    assert len({trial.experiment.trials.seed for trial in equal}) == 4
    for trial in planned:
        assert set(trial.experiment.targets.values()) == {trial.kind}
        injected = trial.experiment.injection("second")
        assert bool(injected.ms or injected.percent) == (trial.effect != "none")
        assert trial.experiment.injection("first") == trial.experiment.injection("none")


@pytest.mark.parametrize(
    ("verdict", "right_if_equal", "right_if_slower"),
    [
        ("first faster", False, True),
        ("second faster", False, False),
        ("equivalent", True, False),
        ("inconclusive", True, False),
        (None, True, False),
    ],
)
def test_what_is_right(
    tmp_path: Path, verdict: str | None, right_if_equal: bool, right_if_slower: bool
) -> None:
    planned = list(trials(chosen(tmp_path)))
    slower, equal = planned[0], planned[-1]
    assert judge(slower, question(verdict)).right is right_if_slower
    assert judge(equal, question(verdict)).right is right_if_equal


def test_the_summary_counts(tmp_path: Path) -> None:
    planned = list(trials(chosen(tmp_path)))
    answers = [judge(trial, question("first faster", low=None)) for trial in planned]
    told = summary(answers)
    assert (told["equal"], told["false_verdicts"], told["equivalent"]) == (4, 4, 0)
    assert told["effects"] == {effect: [True, True] for effect in EFFECTS}
    assert summary([])["effects"] == {}


def test_two_real_experiments_are_run_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = chosen(tmp_path / "out", repeats=2, effects_repeats=0, pairs=2, warm=1)
    answers = run(few)
    assert [one.kind for one in answers] == ["container", "function"]
    assert all(one.ratio > 0 and one.right for one in answers)  # two pairs give no verdict
    rows = (tmp_path / "out" / "equal-00" / "requests.csv").read_bytes()
    assert [one.ratio for one in run(few)] == [one.ratio for one in answers]
    assert (tmp_path / "out" / "equal-00" / "requests.csv").read_bytes() == rows
    assert capsys.readouterr().err.count("equal-01") == 2
