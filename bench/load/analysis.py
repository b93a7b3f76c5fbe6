"""From the rows of a run to its figures and files; for a run that ends, and for one that is read again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from bench.errors import BenchError
from bench.load.generator.sample import Sample
from bench.load.jmeter_table import jmeter_figures
from bench.load.jtl import jtl
from bench.load.report import report_html
from bench.load.summary import summarise
from bench.runs.folder import REPORT_NAME, write_text
from bench.runs.read import StoredRun
from bench.runs.title import title_of

JTL_NAME: Final = "requests.jtl"
PHASES: Final = ("cold", "warm-up", "measured")


def samples_of(run: StoredRun) -> list[Sample]:
    """All requests of a load run.

    Raises:
        BenchError: it is no load run.
    """
    return run.read_rows("load", Sample.read)


def analyse(run: StoredRun, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a run.

    Args:
        run: its folder.
        extra: what the rows do not tell: accounts by target, the ceiling, the start.
    """
    samples = samples_of(run)
    accounts: Mapping[str, Any] = extra.get("accounts") or {}
    targets = {}
    for target in dict.fromkeys(sample.target for sample in samples):
        account = accounts.get(target)
        cpu_share = account["cpu_s"] / account["wall_s"] if account and account["wall_s"] else None
        of_target = [sample for sample in samples if sample.target == target]
        phases = {phase: [sample for sample in of_target if sample.phase == phase] for phase in PHASES}
        targets[target] = {
            "account": account,
            **{phase: summarise(part, cpu_share) for phase, part in phases.items() if part},
        }
    return {**extra, "title": title(run), "targets": targets, "jmeter": jmeter_figures(samples)}


def title(run: StoredRun) -> str:
    """What was measured, in words that claim no more."""
    return title_of("Load at", run.configuration)


def write_outputs(run: StoredRun) -> None:
    """Write the report and the JTL file into the folder; the report first, as the disk may be full.

    Where it is, `bench report` makes the JTL file once there is room.

    Raises:
        BenchError: they cannot be written.
    """
    samples = samples_of(run)
    started_s = run.results.get("started_at_s")
    if started_s is None:  # a killed run
        started_s = datetime.fromisoformat(run.summary["started_at"]).timestamp()
    users = int(run.configuration["plan"].get("users") or 1)
    try:
        write_text(run.path, REPORT_NAME, report_html(run, samples))
        write_text(run.path, JTL_NAME, jtl(samples, float(started_s), users))
    except OSError as error:
        if run.status.startswith("disk full") and (run.path / REPORT_NAME).exists():
            return
        raise BenchError(f"{run.path} cannot be written: {error.strerror}") from error
