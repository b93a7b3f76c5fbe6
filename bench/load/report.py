"""The report of a load run, and of two side by side."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from bench.load.plots import load_plots
from bench.load.sample import Sample
from bench.run_folder_page import figures, mapping_table, page_html, plain_table
from bench.run_folder_read import StoredRun

_COUNTS: Final = ("requests", "ok", "shed", "error", "error_rate", "shed_rate", "ok_per_s", "new_connections")
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


def side_by_side(runs: Sequence[StoredRun], samples: Sequence[Sequence[Sample]]) -> str:
    """Two runs as one file."""
    names = " and ".join(run.path.name for run in runs)
    return page_html(f"Two load runs: {names}", " ".join(map(_lead, runs)), _pair(runs, samples))


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
    refused = sorted({str(of["percentiles_refused"]) for *_, of in phases(run) if of["percentiles_refused"]})
    for why in refused:
        yield f"<p><strong>No percentiles: {escape(why)}.</strong></p>"
    yield "<h2>Requests</h2>" + _counts([run]) + _means([run])
    if not refused:
        yield _percentiles([run])
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
    yield "<h2>Conditions</h2>" + mapping_table("Configuration", run.configuration)
    yield mapping_table("Environment", run.environment)
    yield f"<h2>Method</h2><p>{escape(_METHOD)}</p>"


def _pair(runs: Sequence[StoredRun], samples: Sequence[Sequence[Sample]]) -> Iterator[str]:
    yield _counts(runs) + _means(runs) + _percentiles(runs)
    series = {
        f"{target} {run.path.name}": [one for one in found if one.target == target]
        for run, found in zip(runs, samples, strict=True)
        for target in dict.fromkeys(one.target for one in found)
    }
    fine = not any(of["percentiles_refused"] for run in runs for *_, of in phases(run))
    yield figures(load_plots(series, (), percentiles=fine))
    for run in runs:
        yield mapping_table(f"Configuration of {run.path.name}", run.configuration)
        yield mapping_table(f"Environment of {run.path.name}", run.environment)
    yield f"<h2>Method</h2><p>{escape(_METHOD)}</p>"


def _label(runs: Sequence[StoredRun], run: StoredRun, target: str, phase: str) -> str:
    return " ".join(part for part in (target, phase, run.path.name if len(runs) > 1 else "") if part)


def _counts(runs: Sequence[StoredRun]) -> str:
    rows = [
        (_label(runs, run, target, phase), *(figure(of[name]) for name in _COUNTS), of["statuses"])
        for run in runs
        for target, phase, of in phases(run)
    ]
    return plain_table("Requests", ("", *_COUNTS, "statuses"), rows)


def _means(runs: Sequence[StoredRun]) -> str:
    rows = [
        (
            *(_label(runs, run, target, phase), name, q["n"], f"{figure(q['mean'])} ± {figure(q['sd'])}"),
            *(_range(q["mean_interval"]), figure(q["min"]), figure(q["max"])),
        )
        for run in runs
        for target, phase, of in phases(run)
        for name, q in of["quantities"].items()
    ]
    head = ("", "quantity", "n", "mean ± SD", "95% of mean", "min", "max")
    return plain_table("Means, seconds", head, rows)


def _percentiles(runs: Sequence[StoredRun]) -> str:
    rows = [
        (
            *(_label(runs, run, target, phase), name, f"p{100 * one['p']:g}", figure(one["value"])),
            _range(one["interval"]) or "sample too small",
        )
        for run in runs
        for target, phase, of in phases(run)
        if phase == "measured"
        for name in ("response_s", "latency_s", "first_byte_s", "connect_s")
        for one in of["quantities"].get(name, {}).get("percentiles", ())
    ]
    return plain_table("Percentiles, seconds", ("", "quantity", "", "value", "95% interval"), rows)


def _range(interval: Sequence[float] | None) -> str:
    return f"{figure(interval[0])} … {figure(interval[1])}" if interval else ""


def _usage_rows(folder: Path) -> list[dict[str, str]]:
    try:
        text = (folder / "resources.csv").read_text(encoding="utf-8")
    except OSError:
        return []
    return list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))
