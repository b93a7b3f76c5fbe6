"""Damaged records are in no figure. When so many are missing that the figures may be biased, this says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from results.compare_columns import JobColumns
from results.compare_documents import Warmth
from results.compare_text import percent
from results.documents import Target
from results.statistics.missing import MAX_MISSING, too_many_missing


def doubt(
    jobs: Sequence[JobColumns], first: Target, second: Target, warmth: Warmth, *, most: float = MAX_MISSING
) -> str:
    """Why damaged records may have biased what two targets are compared by; "" if they are few or none.

    A damaged record does not tell whether its task was cold or warm: each is taken for what is asked about.

    Args:
        jobs: whose records, at least one job.
        first: target.
        second: target.
        warmth: of which tasks.
        most: share of a target's records that may be missing, 0..1.
    """
    return "; ".join(_of_targets(jobs, (first, second), warmth, most))


def _of_targets(
    jobs: Sequence[JobColumns], targets: Sequence[Target], warmth: Warmth, most: float
) -> Iterator[str]:
    for target in targets:
        columns = [job.targets[target] for job in jobs]
        damaged = sum(one.unreadable for one in columns)
        present = sum(int((one.cold == (warmth == "cold")).sum()) for one in columns)
        if too_many_missing(damaged, present, most):
            counts = f"{damaged:,} of at most {damaged + present:,} {warmth} records"
            yield f"{target}: {counts} damaged, over {percent(most)}"
