"""The figures of a cold run: JSON, made of the raw rows, so that a partial run has them too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import exp, log
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.cold.sample import ColdStart, cold_start_of
from bench.load.summary import describe
from bench.runs.read import StoredRun
from results.statistics.bootstrap import TrialMeans
from results.statistics.verdict import MIN_TRIALS, find

MARGIN: Final = 0.05
PAIRED: Final = ("first_response_s", "png_s")
STEPS: Final = ("interpreter", "imports, server", "first request", "model load", "first inference", "rest")
"""The way to the first image, one after the other; they add up to png_s."""


def starts_of(run: StoredRun) -> list[ColdStart]:
    """All starts of a cold run.

    Raises:
        BenchError: it is no cold run.
    """
    return run.read_rows("cold", cold_start_of)


def quantities(starts: Sequence[ColdStart]) -> Mapping[str, NDArray[np.float64]]:
    """Values by name, of the starts that came to a stored image."""
    ok = [one for one in starts if one.outcome == "ok"]
    points = ("interpreter_s", "listen_s", "first_response_s", "png_s", "record_s", "response_s")
    parts = ("model_load_s", "generate_s", "encode_s", "store_s", "process_s")
    found = {name: np.array([getattr(one, name) for one in ok], dtype=np.float64) for name in points + parts}
    steps = [steps_of(one) for one in ok]
    found["imports_server_s"] = np.array([step["imports, server"] for step in steps], dtype=np.float64)
    found["first_request_s"] = np.array([step["first request"] for step in steps], dtype=np.float64)
    return found


def steps_of(start: ColdStart) -> dict[str, float]:
    """The way of one start that was ok, in STEPS."""
    at = {
        name: float(getattr(start, f"{name}_s")) for name in ("interpreter", "first_response", "sent", "png")
    }
    received, load, first = (
        float(getattr(start, name)) for name in ("received_s", "model_load_s", "generate_s")
    )
    known = {
        "interpreter": at["interpreter"],
        "imports, server": max(at["first_response"] - at["interpreter"], 0.0),
        "first request": max(received - at["first_response"], 0.0),
        "model load": load,
        "first inference": first,
    }
    return {**known, "rest": max(at["png"] - sum(known.values()), 0.0)}


def analyse(starts: Sequence[ColdStart], imports: Mapping[str, Any]) -> dict[str, Any]:
    """The figures by target, and of the pairs.

    Args:
        starts: in any order.
        imports: of the profiled starts, by target.
    """
    targets = {}
    for target in dict.fromkeys(one.target for one in starts):
        of_target = [one for one in starts if one.target == target]
        ok = [one for one in of_target if one.outcome == "ok"]
        steps = [steps_of(one) for one in ok]
        targets[target] = {
            "measured": {
                "starts": len(of_target),
                "ok": len(ok),
                "errors": dict(Counter(one.error for one in of_target if one.outcome != "ok")),
                "steps": {name: float(np.mean([step[name] for step in steps])) for name in STEPS if steps},
                "quantities": {
                    name: described(values) for name, values in quantities(of_target).items() if len(values)
                },
            },
            "imports": imports.get(target),
        }
    return {"targets": targets, "paired": _paired(starts)}


def described(values: NDArray[np.float64]) -> dict[str, Any]:
    """Starts are few: the mean's interval is the bootstrap's, and there is none below MIN_TRIALS."""
    found = describe(values, percentiles=True)
    found["mean_interval"] = None
    if len(values) >= MIN_TRIALS and np.ptp(values) > 0:
        means = TrialMeans(values[:, np.newaxis])
        mean, half = float(means.mean[0]), float(means.half_width()[0])
        found["mean_interval"] = [mean - half, mean + half]
    return found


def _paired(starts: Sequence[ColdStart]) -> dict[str, Any]:
    """The container against the function, a pair for each repeat in which both came to an image."""
    by_repeat: dict[int, dict[str, ColdStart]] = {}
    for one in starts:
        if one.outcome == "ok":
            by_repeat.setdefault(one.repeat, {})[one.target] = one
    pairs = [(of["container"], of["function"]) for of in by_repeat.values() if len(of) == 2]
    return judged({name: [log(getattr(a, name) / getattr(b, name)) for a, b in pairs] for name in PAIRED})


def judged(columns: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Verdicts on pairs; {} without any.

    Args:
        columns: by quantity, log(container / function) of each pair.
    """
    if not any(map(len, columns.values())):
        return {}
    found: dict[str, Any] = {"ratio": "container / function", "margin": MARGIN}
    for name, finding in zip(columns, find([*columns.values()], margin=MARGIN), strict=True):
        assert finding is not None
        words = {"first lower": "container lower", "second lower": "function lower"}
        interval = (
            None if finding.low is None or finding.high is None else [exp(finding.low), exp(finding.high)]
        )
        verdict = "none: fewer than 20 pairs" if finding.verdict is None else finding.verdict.value
        found[name] = {
            "pairs": finding.trials,
            "ratio": exp(finding.mean),
            "interval": interval,
            "verdict": words.get(verdict, verdict),
            "pairs_needed": finding.trials_needed,
        }
    return found
