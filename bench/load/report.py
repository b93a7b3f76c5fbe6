"""The report of a load run, and of two side by side."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from bench.cloud.report import usage_table
from bench.load.jmeter_table import jmeter_table
from bench.load.plots import load_plots
from bench.load.sample import Sample
from bench.runs.page import conditions, figures, page_html, paragraph, plain_table
from bench.runs.quantities import Phases, means_table, percentiles_table
from bench.runs.read import StoredRun

_COUNTS: Final = (
    *("", "requests", "ok", "shed", "errors", "error rate", "shed rate", "ok/s"),
    *("new connections", "statuses"),
)
_ACCOUNT: Final = ("sent", "unsent", "unfinished")
_PERCENTILES_OF: Final = ("response_s", "latency_s", "first_byte_s", "connect_s")
_METHOD: Final = (
    "Times are libcurl's own, on a monotonic clock, and of requests that succeeded: what failed, timed out"
    " or was never sent is in the counts alone. Response runs from sending to the last byte, latency from"
    " when the task was scheduled: at a given rate a stall counts for every task that was due in it. Of"
    " users the next task is due when the last one's answer is there, so a stall counts once for each user,"
    " and what would have come meanwhile is in no figure (coordinated omission). lag is the generator's own"
    " delay, in sending or in reading the answer. 429 and 503 count as shed, not errors; Retry-After is"
    " honoured. dns, connect and tls are of new connections only. Intervals (95%) of percentiles are order"
    " statistics', those of means normal, from 30 values on; both take requests for independent, which"
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
    tables = [(name, run.results["jmeter"]) for name, run in zip(names, runs, strict=True)]
    yield (
        _refusals(found)
        + _counts(found)
        + jmeter_table(tables)
        + means_table(found)
        + percentiles_table(found, _PERCENTILES_OF)
    )
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
        for phase in ("measured", "warm-up", "cold", "clock set"):
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
    for target, phase, of in found:
        if of["lag_told"] and phase == "measured":
            yield paragraph(f"{target}: {of['lag_told']}.")
    yield "<h2>Requests</h2>" + _counts(found) + jmeter_table([("", run.results["jmeter"])])
    yield means_table(found) + percentiles_table(found, _PERCENTILES_OF)
    by_target: dict[str, list[Sample]] = {}
    for one in samples:
        by_target.setdefault(one.target, []).append(one)
    plots = load_plots(by_target, _usage_rows(run.path), percentiles=not refused)
    yield f"<h2>Plots</h2>{figures(plots)}"
    yield "<h2>Generator</h2>" + _generator(run)
    yield usage_table(run.results.get("cloud") or {})
    yield conditions(run) + "<h2>Method</h2>" + paragraph(_METHOD)


def _generator(run: StoredRun) -> str:
    """What the generator can do, and what became of its schedule."""
    ceiling = run.results.get("ceiling")
    rows = [
        (target, *(f"{of['account'][name]:,}" for name in _ACCOUNT), f"{of['account']['cpu_s']:.1f}")
        for target, of in (run.results.get("targets") or {}).items()
        if of.get("account")
    ]
    head = ("", *_ACCOUNT, "CPU seconds")
    accounts = plain_table("What became of the schedule", head, rows) if rows else ""
    if not ceiling:
        return paragraph("Its ceiling was not noted.") + accounts
    lag_ms = 1000 * ceiling["lag_p99_s"]
    return accounts + paragraph(
        f"Its ceiling here, with {ceiling['users']} users at a server that does nothing:"
        f" {ceiling['requests_per_s']:,.0f} requests/s, lag p99 {lag_ms:.2f} ms,"
        f" {ceiling['cpu_share']:.0%} of a core."
    )


def _refusals(found: Phases) -> str:
    reasons = sorted({str(of["percentiles_refused"]) for *_, of in found if of["percentiles_refused"]})
    return "".join(f"<p><strong>No percentiles: {escape(why)}.</strong></p>" for why in reasons)


def _counts(found: Phases) -> str:
    rows = [
        (
            *(f"{target} {phase}", *(f"{of[name]:,}" for name in ("requests", "ok", "shed", "error"))),
            *(share(of["error_rate"]), share(of["shed_rate"]), figure(of["ok_per_s"])),
            *(f"{of['new_connections']:,}", told(of["statuses"])),
        )
        for target, phase, of in found
    ]
    return plain_table("What became of them", _COUNTS, rows)


def told(counts: Mapping[str, int]) -> str:
    """Counts by name, as text."""
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items())


def share(part: float | None) -> str:
    """A share in percent; "" if there is none."""
    return "" if part is None else f"{100 * part:.2f}%"


def _usage_rows(folder: Path) -> list[dict[str, str]]:
    try:
        text = (folder / "resources.csv").read_text(encoding="utf-8")
    except OSError:
        return []
    return list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))
