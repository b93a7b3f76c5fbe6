"""The figures of a run by target and phase, and how tables write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final, TypeVar

from bench.runs.read import StoredRun

_PHASES: Final = ("measured", "warm-up", "cold", "warm", "clock set")
Phases = Sequence[tuple[str, str, Mapping[str, Any]]]
"""Target (and run), phase, figures."""
Row = TypeVar("Row")


def phases(run: StoredRun, name: str = "") -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Target (and the run's name), phase and figures."""
    for target, figures in (run.results.get("targets") or {}).items():
        for phase in _PHASES:
            if phase in figures:
                yield f"{target} {name}".strip(), phase, figures[phase]


def named_phases(runs: Sequence[StoredRun], names: Sequence[str]) -> Phases:
    """Those of several runs."""
    return [part for name, run in zip(names, runs, strict=True) for part in phases(run, name)]


def by_target(rows: Sequence[Row], target_of: Callable[[Row], str], name: str = "") -> dict[str, list[Row]]:
    """Rows of a run by target (and the run's name), in the order in which they appear."""
    series: dict[str, list[Row]] = {}
    for row in rows:
        series.setdefault(f"{target_of(row)} {name}".strip(), []).append(row)
    return series


def refusals(found: Phases) -> str:
    """Markup: why there are no percentiles."""
    reasons = sorted({str(part["percentiles_refused"]) for *_, part in found if part["percentiles_refused"]})
    return "".join(f"<p><strong>No percentiles: {escape(why)}.</strong></p>" for why in reasons)


def figure(value: object) -> str:
    """A number for a table."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def share(part: float | None) -> str:
    """A share in percent; "" if there is none."""
    return "" if part is None else f"{100 * part:.2f}%"


def counts_text(counts: Mapping[str, int]) -> str:
    """Counts by name."""
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items())
