"""Numbers and notes of a comparison as people read them, in the terminal and in the report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from results.comparison.metrics import metric
from results.comparison.parity import Parity
from results.comparison.schema import Comparison, Errors, Percentile, TargetSummary, Throughput, TrialRatio
from results.statistics.missing import MAX_MISSING

NOTHING: Final = "–"


def amount(unit: str, value: float) -> str:
    """A value with its unit."""
    number, shown_unit = _scaled(unit, value, value)
    return f"{number} {shown_unit}"


def amounts(unit: str, low: float, high: float) -> str:
    """Two values with one unit, as a range."""
    number, shown_unit = _scaled(unit, high, high)
    return f"{_scaled(unit, low, high)[0]}–{number} {shown_unit}"


def percent(share: float) -> str:
    """A share of one in percent, without a rounding that hides a small one."""
    value = 100 * share
    return f"{value:.0f}%" if value in (0, 100) or 10 <= value < 99 else f"{value:.2g}%"


def throughput(rate: Throughput | None) -> str:
    """Images per second."""
    if rate is None:
        return NOTHING
    return f"{rate.median:.3g}"


def failures(errors: Errors) -> str:
    """How many of the ended tasks failed, and the interval of the rate."""
    if errors.rate is None or errors.low is None or errors.high is None:
        return NOTHING
    return f"{errors.failed:,} of {errors.ended:,} ({percent(errors.low)}–{percent(errors.high)})"


def percentile_name(percentile: Percentile) -> str:
    """p50, p99 …"""
    return f"p{percentile.p * 100:g}"


def trial_interval(ratio: TrialRatio) -> str:
    """The 95% interval of a ratio."""
    if ratio.low is None or ratio.high is None:
        return NOTHING
    return f"{ratio.low:.3f}–{ratio.high:.3f}"


def parity_line(parity: Parity) -> str:
    """Whether two targets generated the same."""
    names = f"{parity.first} and {parity.second}"
    if not parity.images:
        return f"{names} have no image in common"
    if parity.same_bytes == parity.images:
        return f"{names}: {parity.images:,} images, equal byte for byte"
    if parity.same_pixels == parity.images:
        return f"{names}: {parity.images:,} images, equal pixel for pixel; files differ in provenance"
    line = f"{names}: {parity.same_pixels:,} of {parity.images:,} images are equal"
    if parity.largest_difference is not None and parity.lowest_psnr_db is not None:
        line += (
            f"; of {parity.looked_at} that differ, at most {parity.largest_difference} of 255"
            f" in a pixel, {parity.lowest_psnr_db:.1f} dB PSNR or more"
        )
    if parity.unreadable:
        line += f"; {parity.unreadable} could not be measured: {parity.why_unreadable}"
    return line


def notes(comparison: Comparison) -> Iterator[str]:
    """What belongs below the tables."""
    yield from (parity_line(parity) for parity in comparison.parity)
    yield from (note for summary in comparison.targets for note in _of_target(summary, len(comparison.jobs)))
    yield from (f"not equal: {difference}" for difference in comparison.differences)
    yield from comparison.remarks
    yield from _bias_warnings(comparison)
    if comparison.trials:
        yield from (note for ratio in comparison.trials.ratios for note in _of_trials(ratio, comparison))
    else:
        yield from (note for note in _left_out(comparison))


def damage(summary: TargetSummary) -> Iterator[str]:
    """How many of a target's records are damaged, and what is wrong with the first; nothing if none is."""
    if summary.unreadable:
        counts = f"{summary.unreadable:,} of {summary.tasks + summary.unreadable:,} records"
        yield f"{summary.target}: {counts} left out, since damaged; the first: {summary.why_unreadable}"


def printable(text: str) -> str:
    """A hand-edited record must not steer the terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _bias_warnings(comparison: Comparison) -> Iterator[str]:
    """Each reason once, however many quantities it is of."""
    ratios = comparison.trials.ratios if comparison.trials else comparison.ratios
    warned = [ratio for ratio in ratios if ratio.bias_warning and ratio.geometric_mean is not None]
    for warmth, why in dict.fromkeys((ratio.warmth, ratio.bias_warning) for ratio in warned):
        yield f"{warmth} ratios may be biased{', and decide nothing' if comparison.trials else ''}: {why}"


def _of_target(summary: TargetSummary, jobs: int) -> Iterator[str]:
    yield from damage(summary)
    rated = summary.images_per_s.jobs if summary.images_per_s else 0
    if summary.unreadable and rated < jobs:
        why = f"no images per second where over {percent(MAX_MISSING)} of a job's records are damaged"
        yield f"{summary.target}: {why}"
    if summary.left_out:
        counts = f"{summary.left_out:,} of {summary.tasks:,} tasks"
        yield f"{summary.target}: {counts} left out: they found images of an earlier delivery"
    if summary.warm.loading:
        yield (
            f"{summary.target}: {summary.warm.loading:,} of its warm tasks loaded the model too:"
            " their instance had loaded another model before"
        )


def not_estimable(summary: TargetSummary) -> Iterator[str]:
    """The percentiles that a target's warm tasks are too few for, in words; the round trip speaks for all."""
    spread = summary.warm.of("round_trip_s")
    short = [percentile for percentile in spread.percentiles if percentile.value is None] if spread else []
    if spread and short:
        first, *others = (f"{percentile_name(percentile)} ({percentile.needed}" for percentile in short)
        missing = ", ".join([f"{first} needed)", *(f"{other})" for other in others)])
        yield f"{summary.target}: not estimable from {_warm_tasks(spread.n)}: {missing}"


def _left_out(comparison: Comparison) -> Iterator[str]:
    for ratio in comparison.ratios:
        if ratio.left_out:
            yield (
                f"{metric(ratio.quantity).label}, {ratio.warmth}: {ratio.left_out:,} values are not above"
                " zero and are in no ratio: the clocks disagree"
            )


def _of_trials(ratio: TrialRatio, comparison: Comparison) -> Iterator[str]:
    name = f"{metric(ratio.quantity).label}, {ratio.warmth}"
    if len(comparison.targets) > 2:
        name += f", {ratio.first} / {ratio.second}"
    if ratio.note:
        yield f"{name}: {ratio.note}"
    if ratio.trials_needed and comparison.trials:
        yield (
            f"{name}: with this spread about {ratio.trials_needed:,} trials would tell a difference of"
            f" {percent(comparison.trials.margin)} from none"
        )


def _warm_tasks(tasks: int) -> str:
    return f"{tasks:,} warm task{'' if tasks == 1 else 's'}"


def _scaled(unit: str, value: float, as_for: float) -> tuple[str, str]:
    """Three digits or so, in the unit that suits `as_for`."""
    if unit == "bytes":
        return f"{value / 2**20:.0f}", "MiB"
    factor = 1
    if unit == "s" and 0 < abs(as_for) < 1:
        unit, factor = "ms", 1000
    size = abs(as_for) * factor
    digits = 0 if size == 0 else 2 if size < 10 else 1 if size < 100 else 0
    return f"{value * factor:.{digits}f}", unit
