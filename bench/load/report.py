"""The report of a load run, and of two side by side."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.cloud.report import usage_table
from bench.load.generator.sample import Sample
from bench.load.jmeter_table import jmeter_table
from bench.load.plots import load_plots
from bench.runs.page import conditions, figures, method_section, page_html, paragraph, plain_table
from bench.runs.phases import (
    Phases,
    by_target,
    counts_text,
    figure,
    named_phases,
    phases,
    refusals,
    share,
)
from bench.runs.quantities import means_table, percentiles_table
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
    found = named_phases(runs, names)
    tables = [(name, run.results["jmeter"]) for name, run in zip(names, runs, strict=True)]
    yield (
        refusals(found)
        + _counts(found)
        + jmeter_table(tables)
        + means_table(found)
        + percentiles_table(found, _PERCENTILES_OF)
    )
    series = {
        label: rows
        for name, every in zip(names, samples, strict=True)
        for label, rows in by_target(every, _target, name).items()
    }
    fine = not any(part["percentiles_refused"] for *_, part in found)
    yield f"<h2>Plots</h2>{figures(load_plots(series, (), percentiles=fine))}"
    yield method_section(_METHOD)


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
    refused = any(part["percentiles_refused"] for *_, part in found)
    yield refusals(found)
    for target, phase, part in found:
        if part["lag_told"] and phase == "measured":
            yield paragraph(f"{target}: {part['lag_told']}.")
    yield "<h2>Requests</h2>" + _counts(found) + jmeter_table([("", run.results["jmeter"])])
    yield means_table(found) + percentiles_table(found, _PERCENTILES_OF)
    plots = load_plots(by_target(samples, _target), _usage_rows(run.path), percentiles=not refused)
    yield f"<h2>Plots</h2>{figures(plots)}"
    yield "<h2>Generator</h2>" + _generator(run)
    yield usage_table(run.results.get("cloud") or {})
    yield conditions(run) + method_section(_METHOD)


def _generator(run: StoredRun) -> str:
    """What the generator can do, and what became of its schedule."""
    ceiling = run.results.get("ceiling")
    rows = [
        (target, *(f"{part['account'][name]:,}" for name in _ACCOUNT), f"{part['account']['cpu_s']:.1f}")
        for target, part in (run.results.get("targets") or {}).items()
        if part.get("account")
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


def _counts(found: Phases) -> str:
    rows = [
        (
            *(f"{target} {phase}", *(f"{part[name]:,}" for name in ("requests", "ok", "shed", "error"))),
            *(share(part["error_rate"]), share(part["shed_rate"]), figure(part["ok_per_s"])),
            *(f"{part['new_connections']:,}", counts_text(part["statuses"])),
        )
        for target, phase, part in found
    ]
    return plain_table("What became of them", _COUNTS, rows)


def _target(sample: Sample) -> str:
    return sample.target


def _usage_rows(folder: Path) -> list[dict[str, str]]:
    try:
        text = (folder / "resources.csv").read_text(encoding="utf-8")
    except OSError:
        return []
    return list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))
