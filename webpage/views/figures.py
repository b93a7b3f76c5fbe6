"""The figures at the head of a panel: medians of what has been read, cold and warm apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, Final

from webpage.views.task_row import Row

_TIMES: Final = ("round_trip_ms", "process_ms", "latency_ms")


def figures_of(rows: Iterable[Row]) -> dict[str, Any]:
    """Summarise one target's rows. Tasks that found images of an earlier delivery are left out.

    Returns:
        `cold` and `warm`, each with `tasks` and medians (None without a task), and over both: the median of
        CPU milliseconds per image, the highest memory, tasks `read` and `left_out`, and `instances`.
    """
    readable = [row for row in rows if "problem" not in row]
    whole = [row for row in readable if not row["found"]]
    per_image = [row["cpu_ms"] / row["painted"] for row in whole if row["painted"]]
    return {
        "read": len(readable),
        "left_out": len(readable) - len(whole),
        "instances": len({row["instance"] for row in whole}),
        "cold": _group([row for row in whole if row["cold"]]),
        "warm": _group([row for row in whole if not row["cold"]]),
        "cpu_ms_per_image": round(median(per_image), 2) if per_image else None,
        "memory_mib": max((row["memory_mib"] for row in whole), default=None),
    }


def _group(rows: Sequence[Row]) -> dict[str, Any]:
    medians = {name: median(row[name] for row in rows) if rows else None for name in _TIMES}
    return {"tasks": len(rows), **medians}
