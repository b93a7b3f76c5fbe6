"""The figures of a cold run: JSON, made of the raw rows, so that a partial run has them too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import exp
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.cold.sample import ColdStart
from bench.cold.variants import CLOUD, Variant, variant_of
from bench.load.summary import describe
from bench.runs.read import StoredRun
from results.statistics.bootstrap import TrialMeans
from results.statistics.verdict import MIN_TRIALS, find

MARGIN: Final = 0.05


def starts_of(run: StoredRun) -> list[ColdStart]:
    """All starts of a cold run.

    Raises:
        BenchError: it is no cold run.
    """
    variant = variant_of(run)
    return run.read_rows(variant.command, variant.read)


def cold_starts(starts: Sequence[ColdStart], target: str) -> list[ColdStart]:
    """A target's cold starts, failed ones among them."""
    return [start for start in starts if start.target == target and start.phase == "cold"]


def quantities(starts: Sequence[ColdStart], variant: Variant) -> Mapping[str, NDArray[np.float64]]:
    """Values by name, of the starts that were ok."""
    ok = [start for start in starts if start.outcome == "ok"]
    columns = {name: [getattr(start, name) for start in ok] for name in variant.quantities}
    return {
        name: np.array([value for value in values if value is not None], dtype=np.float64)
        for name, values in columns.items()
    }


def analyse(starts: Sequence[ColdStart], variant: Variant) -> dict[str, Any]:
    """The figures by target, and of the pairs; starts in any order."""
    names = dict.fromkeys(start.target for start in starts)
    targets = {name: _target([start for start in starts if start.target == name], variant) for name in names}
    return {"targets": targets, "paired": _paired(starts, variant)}


def _target(starts: Sequence[ColdStart], variant: Variant) -> dict[str, Any]:
    cold = [start for start in starts if start.phase == "cold"]
    found = {"measured": _measured(cold, variant)}
    if variant is not CLOUD:
        return found
    after = [start for start in starts if start.asked == "after" and start.phase == "warm"]
    return {
        "requests": len(starts),
        "phases": dict(Counter(start.phase for start in starts if start.asked == "burst")),
        "errors": _errors(starts),
        "instances": len({start.instance for start in starts if start.instance}),
        "revisions": sorted({start.revision for start in starts if start.revision}),
        **found,
        "warm": {"requests": len(after), "quantities": _described(after, variant)},
    }


def _measured(cold: Sequence[ColdStart], variant: Variant) -> dict[str, Any]:
    ok = [start for start in cold if start.outcome == "ok"]
    steps = [variant.steps_of(start) for start in ok]
    return {
        "starts": len(cold),
        "ok": len(ok),
        "errors": _errors(cold),
        "steps": {name: float(np.mean([step[name] for step in steps])) for name in variant.steps if steps},
        "quantities": _described(cold, variant),
    }


def _errors(starts: Sequence[ColdStart]) -> dict[str, int]:
    return dict(Counter(start.error for start in starts if start.outcome != "ok"))


def _described(starts: Sequence[ColdStart], variant: Variant) -> dict[str, Any]:
    return {name: _describe(values) for name, values in quantities(starts, variant).items() if len(values)}


def _describe(values: NDArray[np.float64]) -> dict[str, Any]:
    """Starts are few: the mean's interval is the bootstrap's, and there is none below MIN_TRIALS."""
    found = describe(values, percentiles=True)
    found["mean_interval"] = None
    if len(values) >= MIN_TRIALS and np.ptp(values) > 0:
        means = TrialMeans(values[:, np.newaxis])
        mean, half = float(means.mean[0]), float(means.half_width()[0])
        found["mean_interval"] = [mean - half, mean + half]
    return found


def _paired(starts: Sequence[ColdStart], variant: Variant) -> dict[str, Any]:
    """The container against the function: means of each repeat in which both had cold starts that were ok."""
    by_repeat: dict[int, dict[str, list[ColdStart]]] = {}
    for start in starts:
        if start.phase == "cold" and start.outcome == "ok":
            by_repeat.setdefault(start.repeat, {}).setdefault(start.target, []).append(start)
    pairs = [
        (quantities(repeat["container"], variant), quantities(repeat["function"], variant))
        for repeat in by_repeat.values()
        if len(repeat) == 2
    ]
    if not pairs:
        return {}
    columns = [
        [float(np.log(first[name]).mean() - np.log(second[name]).mean()) for first, second in pairs]
        for name in variant.paired
    ]
    return {
        "ratio": "container / function",
        "margin": MARGIN,
        **dict(zip(variant.paired, _verdicts(columns), strict=True)),
    }


def _verdicts(columns: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
    """What each column says, log(container / function) of each pair."""
    words = {"first lower": "container lower", "second lower": "function lower"}
    verdicts = []
    for finding in find([*columns], margin=MARGIN):
        assert finding is not None
        known = finding.low is not None and finding.high is not None
        verdict = "none: fewer than 20 pairs" if finding.verdict is None else finding.verdict.value
        verdicts.append(
            {
                "pairs": finding.trials,
                "ratio": exp(finding.mean),
                "interval": [exp(finding.low or 0.0), exp(finding.high or 0.0)] if known else None,
                "verdict": words.get(verdict, verdict),
                "pairs_needed": finding.trials_needed,
            }
        )
    return verdicts
