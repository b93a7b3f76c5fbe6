"""What an experiment's rows say: the one question that was asked, and the others beside it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, isnan
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.cloud.targets import deployed_title, stand_ins
from bench.experiment.conditions import conditions_of
from bench.experiment.pairs import Pairs
from bench.experiment.plan import METRICS, PHASES, Metric, Phase
from bench.runs.title import SERVERS
from results.statistics.power import POWER
from results.statistics.verdict import CONFIDENCE, MIN_TRIALS, Finding, Verdict, find


@dataclass(frozen=True, slots=True)
class _Question:
    metric: Metric
    phase: Phase


def samples_per_arm(sd: float, difference: float, *, confidence: float = CONFIDENCE) -> int:
    """Independent samples of each target that see a difference of means with 80% power: unpaired.

    Args:
        sd: of single samples, above 0.
        difference: on the same scale, above 0.
        confidence: two-sided.
    """
    normal = NormalDist()
    z = normal.inv_cdf(0.5 + confidence / 2) + normal.inv_cdf(POWER)
    return max(2, ceil(2 * (z * sd / difference) ** 2))


def analyse(pairs: Pairs) -> dict[str, Any]:
    """All figures, as JSON. The question named in the file is judged alone; the others together, by Holm."""
    experiment = pairs.experiment
    asked = _Question(experiment.question.metric, experiment.question.phase)
    phases = ("warm",) if experiment.deployed else PHASES
    others = [_Question(metric, phase) for phase in phases for metric in METRICS]
    others.remove(asked)
    instances = {name: _instances(pairs, name) for name in experiment.names}
    return {
        "title": title(pairs),
        "targets": dict(experiment.targets),
        "margin": experiment.question.margin,
        "seed": experiment.trials.seed,
        "pairs": {
            "planned": experiment.trials.pairs,
            "finished": pairs.finished,
            "failed": list(pairs.failed),
            "failed_of": dict(pairs.failed_of),
            "needed_for_a_verdict": MIN_TRIALS,
        },
        "question": _judged(pairs, [asked])[0],
        "beside": _judged(pairs, others),
        "conditions": conditions_of(pairs),
        **({} if experiment.deployed else {"instances": instances}),
    }


def title(pairs: Pairs) -> str:
    """What was compared, in words that claim no more."""
    kinds, deployed = pairs.experiment.targets, pairs.experiment.deployed
    if deployed:
        a, b = (kinds[name] for name in pairs.experiment.names)
        names = f"{a} against {b}" if a != b else f"{a} against {a} ({' and '.join(pairs.experiment.names)})"
        return deployed_title(names, stand_ins([*deployed.urls.values()], deployed.store))
    first, second = (SERVERS[kinds[name]] for name in pairs.experiment.names)
    if first != second:
        return f"{first} against {second} on this machine"
    return f"{first} against itself on this machine ({' and '.join(pairs.experiment.names)})"


def _judged(pairs: Pairs, questions: list[_Question]) -> list[dict[str, Any]]:
    experiment = pairs.experiment
    values = [pairs.log_ratios(question.metric, question.phase)[0] for question in questions]
    findings = find(values, margin=experiment.question.margin, seed=experiment.trials.seed)
    return [
        _answer(pairs, question, column, finding or Finding(0, float("nan"), float("nan")))
        for question, column, finding in zip(questions, values, findings, strict=True)
    ]


def _answer(
    pairs: Pairs, question: _Question, values: NDArray[np.float64], finding: Finding
) -> dict[str, Any]:
    metric, phase = question.metric, question.phase
    return {
        "metric": metric,
        "phase": phase,
        "pairs": finding.trials,
        "ratio": None if isnan(finding.mean) else exp(finding.mean),
        "low": None if finding.low is None else exp(finding.low),
        "high": None if finding.high is None else exp(finding.high),
        "sd_of_log_ratio": None if isnan(finding.sd) else finding.sd,
        "p_value": finding.p_value,
        "verdict": _in_words(pairs, question, finding),
        "note": "; ".join(_notes(pairs, question, finding)),
        "order_effect": pairs.order_effect(metric, phase),
        "values": values.tolist(),
        "samples": {name: _described(pairs.samples(name, metric, phase)) for name in pairs.experiment.names},
    }


def _in_words(pairs: Pairs, question: _Question, finding: Finding) -> str | None:
    if finding.verdict is None:
        return None
    first, second = pairs.experiment.names
    better = "uses less" if question.metric == "cpu_s_per_image" else "faster"
    if finding.verdict is Verdict.FIRST_LOWER:
        return f"{first} {better}"
    return f"{second} {better}" if finding.verdict is Verdict.SECOND_LOWER else str(finding.verdict)


def _notes(pairs: Pairs, question: _Question, finding: Finding) -> list[str]:
    if finding.verdict is None:
        return [f"no verdict: {finding.trials} pairs, {MIN_TRIALS} are needed"]
    if finding.verdict is not Verdict.INCONCLUSIVE:
        return []
    if finding.low is None:
        return ["all, or nearly all, pairs have the same value: real ones never do, so there is no interval"]
    margin = pairs.experiment.question.margin
    needed = f"with this spread about {finding.trials_needed:,} pairs" if finding.trials_needed else ""
    notes = [f"{needed} would tell a difference of {100 * margin:g}% from none"] if needed else []
    if not needed:
        notes = ["as many pairs as these usually suffice for this margin: the ratio lies near its edge"]
    return notes + _unpaired(pairs, question, margin)


def _unpaired(pairs: Pairs, question: _Question, margin: float) -> list[str]:
    """What single requests, not paired, would take: what a plain load test faces."""
    arms = [pairs.samples(name, question.metric, question.phase) for name in pairs.experiment.names]
    if min(map(len, arms)) < 2:
        return []
    sd = float(np.sqrt(np.mean([arm.var(ddof=1) for arm in arms])))
    difference = margin * float(np.mean([arm.mean() for arm in arms]))
    if not sd:
        return []
    needed = samples_per_arm(sd, difference)
    apart, spread = f"{1000 * difference:.3g} ms", f"SD {1000 * sd:.3g} ms"
    return [f"unpaired, about {needed:,} samples per arm to see {apart} ({spread})"]


def _described(values: NDArray[np.float64]) -> dict[str, float | int | None]:
    if not len(values):
        return {"n": 0, "mean": None, "sd": None, "median": None}
    sd = float(values.std(ddof=1)) if len(values) > 1 else None
    return {"n": len(values), "mean": float(values.mean()), "sd": sd, "median": float(np.median(values))}


def _instances(pairs: Pairs, name: str) -> dict[str, Any]:
    """What fresh instances of a target were like."""
    starts = [float(arms[name][0]["start_s"] or "nan") for arms in pairs.sound.values()]
    memory = [int(row["rss_peak_bytes"] or 0) for arms in pairs.sound.values() for row in arms[name]]
    return {
        "instances": len(starts),
        "median_start_s": float(np.median(starts)) if starts else None,
        "rss_peak_bytes": max(memory, default=None),
    }
