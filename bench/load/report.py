"""The report of a load run, and of two side by side."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from bench.load.plots import load_plots
from bench.load.sample import Sample
from bench.run_folder_page import conditions, figures, mapping_table, page_html, paragraph, plain_table
from bench.run_folder_read import StoredRun

_COUNTS: Final = ("requests", "ok", "shed", "error", "error_rate", "shed_rate", "ok_per_s", "new_connections")
Phases = Sequence[tuple[str, str, Mapping[str, Any]]]
"""Target (and run), phase, figures."""
_METHOD: Final = (
    "Times are libcurl's own, on a monotonic clock. response_s runs from sending to the last byte, latency_s"
    " from when the task was scheduled, so that a stall is not hidden. 429 and 503 count as shed, not errors;"
    " Retry-After is honoured. dns_s, connect_s and tls_s are of new connections only. Intervals (95%) of"
    " percentiles are order statistics', those of means normal; both take requests for independent, which"
    " requests of one run are only roughly: two runs decide nothing about targets (see bench compare)."
)


def report_html(run: StoredRun, samples: Sequence[Sample]) -> str:
    """One run as one file."""
    return page_html(_title(run), _lead(run), _sections(run, samples))


def side_by_side(
    runs: Sequence[StoredRun], names: Sequence[str], samples: Sequence[Sequence[Sample]]
) -> Iterator[str]:
    """Two runs, below the heading that they share.

    Args:
        runs: both.
        names: of them.
        samples: of each.
    """
    found = [
        (f"{target} {name}", phase, of)
        for name, run in zip(names, runs, strict=True)
        for target, phase, of in phases(run)
    ]
    yield _refusals(found) + _counts(found) + _means(found) + _percentiles(found)
    series = {
        f"{target} {name}": [one for one in every if one.target == target]
        for name, every in zip(names, samples, strict=True)
        for target in dict.fromkeys(one.target for one in every)
    }
    fine = not any(of["percentiles_refused"] for *_, of in found)
    yield f"<h2>Plots</h2>{figures(load_plots(series, (), percentiles=fine))}"
    yield "<h2>Method</h2>" + paragraph(_METHOD)


def phases(run: StoredRun) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Target, phase and figures."""
    for target, found in (run.results.get("targets") or {}).items():
        for phase in ("measured", "warm-up", "cold"):
            if phase in found:
                yield target, phase, found[phase]


def figure(value: object) -> str:
    """A number for a table."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _title(run: StoredRun) -> str:
    return str(run.results.get("title") or "Load")


def _lead(run: StoredRun) -> str:
    plan = run.configuration.get("plan", {})
    users, rate = plan.get("users"), plan.get("rate")
    shape = f"{users} users" if users else f"{rate} requests/s, {plan.get('arrivals')}"
    state = "".join(f" {mark}" for mark in run.marks)
    length = f"{plan.get('duration_s', 0):g} s a target"
    return f"{run.path.name}: {shape}, {length}, {len(run.rows):,} requests.{state}"


def _sections(run: StoredRun, samples: Sequence[Sample]) -> Iterator[str]:
    found = [*phases(run)]
    refused = any(of["percentiles_refused"] for *_, of in found)
    yield _refusals(found)
    yield "<h2>Requests</h2>" + _counts(found) + _means(found) + _percentiles(found)
    by_target: dict[str, list[Sample]] = {}
    for one in samples:
        by_target.setdefault(one.target, []).append(one)
    plots = load_plots(by_target, _usage_rows(run.path), percentiles=not refused)
    yield f"<h2>Plots</h2>{figures(plots)}"
    yield "<h2>Generator</h2>" + mapping_table("The generator's ceiling", run.results.get("ceiling") or {})
    accounts = {name: of.get("account") or {} for name, of in (run.results.get("targets") or {}).items()}
    yield mapping_table("What became of the schedule", accounts)
    if run.results.get("cloud"):
        yield mapping_table("Cloud Monitoring", run.results["cloud"])
    yield conditions(run) + "<h2>Method</h2>" + paragraph(_METHOD)


def _refusals(found: Phases) -> str:
    reasons = sorted({str(of["percentiles_refused"]) for *_, of in found if of["percentiles_refused"]})
    return "".join(f"<p><strong>No percentiles: {escape(why)}.</strong></p>" for why in reasons)


def _counts(found: Phases) -> str:
    rows = [
        (f"{target} {phase}", *(figure(of[name]) for name in _COUNTS), of["statuses"])
        for target, phase, of in found
    ]
    return plain_table("Requests", ("", *_COUNTS, "statuses"), rows)


def _means(found: Phases) -> str:
    rows = [
        (
            *(f"{target} {phase}", name, q["n"], f"{figure(q['mean'])} ± {figure(q['sd'])}"),
            *(_range(q["mean_interval"]), figure(q["min"]), figure(q["max"])),
        )
        for target, phase, of in found
        for name, q in of["quantities"].items()
    ]
    head = ("", "quantity", "n", "mean ± SD", "95% of mean", "min", "max")
    return plain_table("Means, seconds", head, rows)


def _percentiles(found: Phases) -> str:
    rows = [
        (
            *(target, name, f"p{100 * one['p']:g}", figure(one["value"])),
            _range(one["interval"]) or "sample too small",
        )
        for target, phase, of in found
        if phase == "measured"
        for name in ("response_s", "latency_s", "first_byte_s", "connect_s")
        for one in of["quantities"].get(name, {}).get("percentiles", ())
    ]
    if not rows:
        return ""
    return plain_table("Percentiles, seconds", ("", "quantity", "", "value", "95% interval"), rows)


def _range(interval: Sequence[float] | None) -> str:
    return f"{figure(interval[0])} … {figure(interval[1])}" if interval else ""


def _usage_rows(folder: Path) -> list[dict[str, str]]:
    try:
        text = (folder / "resources.csv").read_text(encoding="utf-8")
    except OSError:
        return []
    return list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))
