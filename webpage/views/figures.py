"""The figures at the head of a panel: medians of what has been read, cold and warm apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from results.comparison import metrics
from webpage.views.task_row import Row


def figures_of(rows: Iterable[Row]) -> dict[str, Any]:
    """Summarise one target's rows. Tasks that found images of an earlier delivery are left out.

    Returns:
        `cold` and `warm`, each with its number of `tasks` and the `medians` of what targets are compared by
        (None without a value), and over both: the highest memory, tasks `read` and `left_out`, `instances`.
    """
    readable = [row for row in rows if "problem" not in row]
    whole = [row for row in readable if not row["found"]]
    return {
        "read": len(readable),
        "left_out": len(readable) - len(whole),
        "instances": len({row["instance"] for row in whole}),
        "cold": _group([row for row in whole if row["cold"]]),
        "warm": _group([row for row in whole if not row["cold"]]),
        "rss_peak_bytes": max((row["values"]["rss_peak_bytes"] for row in whole), default=None),
    }


def _group(rows: Sequence[Row]) -> dict[str, Any]:
    medians = {metric.name: _median(rows, metric.name) for metric in metrics.ratio_metrics(cold=False)}
    return {"tasks": len(rows), "medians": medians}


def _median(rows: Sequence[Row], name: str) -> float | None:
    values = [row["values"][name] for row in rows if row["values"][name] is not None]
    return median(values) if values else None
