"""Where more workers stop to pay: from size to size, beyond the noise of the rounds; and below what share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist, fmean, stdev
from typing import Final

from bench.scale.measure import Size

HALF: Final = 0.5
"""An efficiency below this share is reported: more than half of what was added does nothing."""
CONFIDENCE: Final = 0.95
"""One-sided: of a growth that is called one."""
_T95: Final = (6.314, 2.920, 2.353, 2.132)
Rates = Mapping[int, Mapping[int, float]]
"""Images per second, by number of workers and round."""


@dataclass(frozen=True, slots=True)
class Step:
    """From the best size so far to a larger one.

    Args:
        before: workers.
        after: workers.
        ratio: of images/s, after / before: geometric mean over the rounds that have both.
        low: lower end of the ratio, one-sided 95%; None of fewer than two rounds.
        high: upper end, likewise.
        rounds: that have both.
        grows: images/s grow beyond the noise of the rounds; None where one round tells no noise.
    """

    before: int
    after: int
    ratio: float
    low: float | None
    high: float | None
    rounds: int
    grows: bool | None

    @property
    def open(self) -> bool:
        """No growth was seen, and the noise may hide one that uses half of what was added, or more."""
        half = 1 + HALF * (self.after / self.before - 1)
        return self.grows is False and self.high is not None and self.high >= half


@dataclass(frozen=True, slots=True)
class Growth:
    """What the sizes say together.

    Args:
        steps: from the smallest size up.
        grows_to: the largest size that gave more images/s than the best one before it.
        stopped: larger ones gave no more; False: no end was seen, or the noise may hide a growth.
        half_at: the first size whose efficiency is below a half; None: there is none.
        words: the same for people, a sentence each.
    """

    steps: tuple[Step, ...]
    grows_to: int | None
    stopped: bool
    half_at: int | None
    words: tuple[str, ...]


def growth_of(rates: Rates, sizes: Sequence[Size]) -> Growth:
    """Where it stops.

    Args:
        rates: of whole rounds.
        sizes: the same in short, ascending.
    """
    measured = [size for size in sizes if size.images_per_s > 0]
    if not measured:
        return Growth((), None, stopped=False, half_at=None, words=("Nothing was measured.",))
    steps: list[Step] = []
    grows_to, stop = measured[0].workers, None
    for size in measured[1:]:
        step = _step(rates, grows_to, size.workers)
        if step is None:
            continue
        steps.append(step)
        if step.ratio > 1 if step.grows is None else step.grows:
            grows_to, stop = size.workers, None
        else:
            stop = stop or step
    half = next((size for size in measured if size.efficiency < HALF), None)
    words = (*_end(measured, steps, grows_to, stop), _half(measured, half))
    return Growth(
        tuple(steps),
        grows_to,
        stopped=stop is not None and not stop.open,
        half_at=half.workers if half else None,
        words=tuple(word for word in words if word),
    )


def _step(rates: Rates, before: int, after: int) -> Step | None:
    """Paired by round: what slows the machine for a while slows both sizes of a round."""
    rounds = sorted(rates[before].keys() & rates[after].keys())
    logs = [
        log(rates[after][place] / rates[before][place])
        for place in rounds
        if rates[before][place] * rates[after][place]
    ]
    if not logs:
        return None
    mean = fmean(logs)
    if len(logs) < 2:
        return Step(before, after, exp(mean), None, None, len(logs), None)
    half = _t95(len(logs) - 1) * stdev(logs) / sqrt(len(logs))
    return Step(before, after, exp(mean), exp(mean - half), exp(mean + half), len(logs), mean - half > 0)


def _t95(freedom: int) -> float:
    """Student's t, one-sided 95%; beyond the table by its expansion (Abramowitz and Stegun 26.7.5)."""
    if freedom <= len(_T95):
        return _T95[freedom - 1]
    z = NormalDist().inv_cdf(CONFIDENCE)
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2


def _end(sizes: Sequence[Size], steps: Sequence[Step], grows_to: int, stop: Step | None) -> tuple[str, ...]:
    best = next(size for size in sizes if size.workers == grows_to)
    rate = f"{best.images_per_s:,.4g} images/s"
    if not steps:
        return (f"One size alone, {_workers(grows_to)} ({rate}): it shows no growth.",)
    if stop is None:
        sentence = (
            f"No end was seen: images/s still grew with {_workers(grows_to)} ({rate}), the largest size."
        )
    elif stop.open:
        sentence = (
            f"Whether images/s grow beyond {_workers(grows_to)}, {rate}, is undecided: {stop.after} give"
            f" {stop.ratio:.2f} times as many, and the noise of {stop.rounds} rounds leaves"
            f" {_ends(stop)} open (each end with 95% confidence). Take more with --rounds."
        )
    else:
        sentence = (
            f"It stops at {_workers(grows_to)}, {rate}: {stop.after} give {stop.ratio:.2f} times as many"
            f" {_noise(stop)}."
        )
    blind = any(step.grows is None for step in steps)
    return (sentence, "One round does not show the noise: take more with --rounds." if blind else "")


def _noise(step: Step) -> str:
    if step.low is None:
        return "in the one round that has both"
    return (
        f"({_ends(step)}, each end with 95% confidence), no growth beyond the noise of {step.rounds} rounds"
    )


def _ends(step: Step) -> str:
    return f"{step.low:.2f} to {step.high:.2f}"


def _half(sizes: Sequence[Size], half: Size | None) -> str:
    if len(sizes) < 2:
        return ""
    base = _workers(sizes[0].workers)
    if half is None:
        return f"Efficiency, against {base}, is {sizes[-1].efficiency:.2f} at {_workers(sizes[-1].workers)}."
    return (
        f"Efficiency, against {base}, falls below a half at {_workers(half.workers)}: {half.efficiency:.2f}."
    )


def _workers(number: int) -> str:
    return "1 worker" if number == 1 else f"{number} workers"
