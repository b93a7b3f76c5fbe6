"""Tasks without a sound record are in no figure. Where too many are, it may be biased: this warns of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from results.comparison.columns import JobColumns, TargetColumns
from results.comparison.format import percent
from results.comparison.schema import Warmth
from results.statistics.missing import MAX_MISSING, too_many_missing
from results.targets import Target


def bias_warning(
    jobs: Sequence[JobColumns], first: Target, second: Target, warmth: Warmth, *, most: float = MAX_MISSING
) -> str:
    """Why what is missing may have biased what two targets are compared by; "" if it is little or nothing.

    Missing are tasks that failed, that are not done, and whose record is damaged: none tells whether it was
    cold or warm, so each is taken for what is asked about.

    Args:
        jobs: whose records, at least one job.
        first: target.
        second: target.
        warmth: of which tasks.
        most: share of a target's tasks that may be missing, 0..1.
    """
    return "; ".join(_of_targets(jobs, (first, second), warmth, most))


def _of_targets(
    jobs: Sequence[JobColumns], targets: Sequence[Target], warmth: Warmth, most: float
) -> Iterator[str]:
    for target in targets:
        columns = [job.targets[target] for job in jobs]
        kinds = _missing(columns)
        missing = sum(kinds.values())
        present = sum(int((of_job.cold == (warmth == "cold")).sum()) for of_job in columns)
        if too_many_missing(missing, present, most):
            why = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
            yield f"{target}: {why} of at most {missing + present:,} {warmth} tasks, over {percent(most)}"


def _missing(columns: Sequence[TargetColumns]) -> dict[str, int]:
    counts = [of_job.counts for of_job in columns]
    failed = sum(ended.failed + ended.dead for ended in counts)
    return {
        "damaged": sum(of_job.unreadable for of_job in columns),
        "failed": failed,
        "not done": sum(ended.tasks - ended.done for ended in counts) - failed,
    }
