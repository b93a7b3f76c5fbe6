"""Sets of whole numbers as runs: `[[0, 15], [18, 18]]`. A million finished tasks travel as one pair."""

from __future__ import annotations

from collections.abc import Iterable

Runs = list[list[int]]


def runs_of(numbers: Iterable[int], *, limit: int) -> Runs:
    """Collect ascending numbers into runs, first and last included.

    Args:
        numbers: ascending, each once.
        limit: at most so many runs; what comes after them is left out.
    """
    runs: Runs = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        elif len(runs) == limit:
            break
        else:
            runs.append([number, number])
    return runs
