"""The figures of cold starts of deployed services: JSON, made of the raw rows, a partial run's too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.cloud.targets import deployed_title, stand_ins
from bench.cold.deployed_sample import DeployedStart, deployed_start_of
from bench.cold.summary import described, judged
from bench.runs.read import StoredRun

PAIRED: Final = ("response_s", "without_load_s")
STEPS: Final = ("until its process began", "start-up", "model load", "first inference", "rest")
"""The way to the answer, one after the other; they add up to response_s. The first is by two clocks."""
_POINTS: Final = (
    *("response_s", "first_byte_s", "connect_s", "began_s", "startup_s", "model_load_s", "generate_s"),
    *("encode_s", "store_s", "process_s", "record_s"),
)


def starts_of(run: StoredRun) -> list[DeployedStart]:
    """All requests of such a run.

    Raises:
        BenchError: it is none.
    """
    return run.read_rows("cold --cloud", deployed_start_of)


def cold_ones(starts: Sequence[DeployedStart], target: str) -> list[DeployedStart]:
    """A target's cold starts."""
    return [one for one in starts if one.target == target and one.phase == "cold"]


def quantities(starts: Sequence[DeployedStart]) -> Mapping[str, NDArray[np.float64]]:
    """Values by name, of requests with a record."""
    ok = [one for one in starts if one.outcome == "ok"]
    found = {}
    for name in _POINTS:
        values = [getattr(one, name) for one in ok]
        found[name] = np.array([value for value in values if value is not None], dtype=np.float64)
    found["without_load_s"] = np.array([_without_load(one) for one in ok], dtype=np.float64)
    return found


def steps_of(start: DeployedStart) -> dict[str, float]:
    """The way of one that was ok, in STEPS."""
    began, startup, load, first, response = (
        float(getattr(start, f"{name}_s"))
        for name in ("began", "startup", "model_load", "generate", "response")
    )
    # A process tells its start in whole seconds: one that seems to lie before the request took none of it.
    ahead = max(began, 0.0)
    parts = dict(zip(STEPS, (ahead, max(began + startup - ahead, 0.0), load, first), strict=False))
    return {**parts, "rest": max(response - sum(parts.values()), 0.0)}


def results_of_rows(run: StoredRun) -> dict[str, Any]:
    """All figures."""
    starts, asked = starts_of(run), run.configuration
    names = [str(name) for name in asked["targets"]]
    local = stand_ins([*asked["urls"].values()], asked["store_url"])
    return {
        "title": deployed_title(f"Cold starts of {' and '.join(names)}", local),
        "targets": {name: _of_target([one for one in starts if one.target == name], name) for name in names},
        "paired": _paired(starts),
    }


def _of_target(starts: Sequence[DeployedStart], target: str) -> dict[str, Any]:
    cold = cold_ones(starts, target)
    steps = [steps_of(one) for one in cold]
    after = [one for one in starts if one.asked == "after" and one.phase == "warm"]
    return {
        "requests": len(starts),
        "phases": dict(Counter(one.phase for one in starts if one.asked == "burst")),
        "errors": dict(Counter(one.error for one in starts if one.outcome != "ok")),
        "instances": len({one.instance for one in starts if one.instance}),
        "revisions": sorted({one.revision for one in starts if one.revision}),
        "measured": {
            "starts": len(cold),
            "steps": {name: float(np.mean([step[name] for step in steps])) for name in STEPS if steps},
            "quantities": _described(cold),
        },
        "warm": {"requests": len(after), "quantities": _described(after)},
    }


def _described(starts: Sequence[DeployedStart]) -> dict[str, Any]:
    return {name: described(values) for name, values in quantities(starts).items() if len(values)}


def _paired(starts: Sequence[DeployedStart]) -> dict[str, Any]:
    """The container against the function: means of each repeat in which both had cold starts."""
    by_repeat: dict[int, dict[str, list[DeployedStart]]] = {}
    for one in starts:
        if one.phase == "cold":
            by_repeat.setdefault(one.repeat, {}).setdefault(one.target, []).append(one)
    pairs = [(of["container"], of["function"]) for of in by_repeat.values() if len(of) == 2]
    columns = {
        name: [float(np.log(a[name]).mean() - np.log(b[name]).mean()) for a, b in map(_both, pairs)]
        for name in PAIRED
    }
    return judged(columns)


def _both(
    pair: tuple[Sequence[DeployedStart], Sequence[DeployedStart]],
) -> tuple[Mapping[str, NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]:
    return quantities(pair[0]), quantities(pair[1])


def _without_load(start: DeployedStart) -> float:
    """The response without the model's load, which is within the handler's work."""
    return float(start.response_s or 0.0) - float(start.model_load_s or 0.0)
