"""From the rows of requests to one value per pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray

from bench.experiment.plan import Experiment, Metric, Phase
from bench.load.generator.sample import outcome_of

Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pairs:
    """The trials that came to their end.

    Args:
        experiment: the whole.
        sound: both arms of each pair, by name; every request of them succeeded.
        failed: numbers of pairs that a request failed in: no part of any verdict.
        failed_of: in how many of them one of each target's requests did, by name.
    """

    experiment: Experiment
    sound: Mapping[int, Mapping[str, Sequence[Cells]]]
    failed: tuple[int, ...]
    failed_of: Mapping[str, int]

    @property
    def finished(self) -> int:
        """Pairs that were run to their end."""
        return len(self.sound) + len(self.failed)

    def log_ratios(self, metric: Metric, phase: Phase) -> tuple[NDArray[np.float64], list[int]]:
        """log(first / second) of each pair that has it, and the pairs' numbers.

        The mean over the tasks that both have a value of: the same images cost the same, and that cancels.
        Cold tasks are compared by their means, as which process takes which is chance.
        """
        first, second = self.experiment.names
        values, numbers = [], []
        for number, arms in sorted(self.sound.items()):
            a, b = (_values(arms[name], metric, phase) for name in (first, second))
            tasks = sorted(a.keys() & b.keys()) if phase == "warm" else []
            logs = (
                np.log([a[task] for task in tasks]).mean() - np.log([b[task] for task in tasks]).mean()
                if tasks
                else _difference_of_means(a, b)
                if phase == "cold"
                else None
            )
            if logs is not None:
                values.append(float(logs))
                numbers.append(number)
        return np.array(values, dtype=np.float64), numbers

    def samples(self, name: str, metric: Metric, phase: Phase) -> NDArray[np.float64]:
        """A target's single values, of all pairs: float64 [n]."""
        values = [
            value for arms in self.sound.values() for value in _values(arms[name], metric, phase).values()
        ]
        return np.array(values, dtype=np.float64)

    def order_effect(self, metric: Metric, phase: Phase) -> float | None:
        """The ratio where the first target went first, over the ratio where it went second; 1: none."""
        values, numbers = self.log_ratios(metric, phase)
        first = self.experiment.names[0]
        went = np.array([self.sound[number][first][0]["place"] == "0" for number in numbers], dtype=bool)
        if not went.any() or went.all():
            return None
        return exp(float(values[went].mean() - values[~went].mean()))


def pairs_of(rows: Sequence[Cells], experiment: Experiment) -> Pairs:
    """Sort rows into pairs; one that lacks a request was not run to its end, and is left out."""
    arms: dict[int, dict[str, list[Cells]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        arms[int(row["pair"])][row["name"]].append(row)
    whole = {
        number: pair
        for number, pair in arms.items()
        if all(len(pair[name]) == experiment.tasks for name in experiment.names)
    }
    failed = tuple(sorted(number for number, pair in whole.items() if not all(map(_fine, pair.values()))))
    sound = {number: pair for number, pair in whole.items() if number not in failed}
    failed_of = {name: sum(not _fine(whole[number][name]) for number in failed) for name in experiment.names}
    return Pairs(experiment, sound, failed, failed_of)


def _fine(rows: Sequence[Cells]) -> bool:
    return all(outcome_of(int(row["status"])) == "ok" for row in rows)


def _values(rows: Sequence[Cells], metric: Metric, phase: Phase) -> dict[int, float]:
    """By task. What a cold process generated is no warm value, whenever it was asked, nor the reverse."""
    other = "1" if phase == "warm" else "0"
    values = {
        int(row["task"]): float(row[metric])
        for row in rows
        if row["phase"] == phase and row["cold"] != other and row[metric]
    }
    return {task: value for task, value in values.items() if value > 0}


def _difference_of_means(a: Mapping[int, float], b: Mapping[int, float]) -> float | None:
    if not a or not b:
        return None
    return float(np.log([*a.values()]).mean() - np.log([*b.values()]).mean())
