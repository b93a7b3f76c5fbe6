"""From the rows of a run to its figures and files; for a run that ends, and for one that is read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bench.errors import BenchError
from bench.load.jtl import jtl
from bench.load.report import report_html
from bench.load.sample import Sample, sample_of
from bench.load.summary import summarise
from bench.run_folder import REPORT_NAME
from bench.run_folder_read import StoredRun

JTL_NAME: Final = "requests.jtl"
PHASES: Final = ("cold", "warm-up", "measured")


def samples_of(run: StoredRun) -> list[Sample]:
    """All requests of a load run.

    Raises:
        BenchError: it is no load run.
    """
    return run.read_rows("load", sample_of)


def analyse(run: StoredRun, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a run.

    Args:
        run: its folder.
        extra: what the rows do not tell: accounts by target, the ceiling, the start.
    """
    samples = samples_of(run)
    accounts: Mapping[str, Any] = extra.get("accounts") or {}
    targets = {}
    for target in dict.fromkeys(one.target for one in samples):
        account = accounts.get(target)
        cpu_share = account["cpu_s"] / account["wall_s"] if account and account["wall_s"] else None
        of_target = [one for one in samples if one.target == target]
        phases = {phase: [one for one in of_target if one.phase == phase] for phase in PHASES}
        targets[target] = {
            "account": account,
            **{phase: summarise(found, cpu_share) for phase, found in phases.items() if found},
        }
    return {**extra, "title": title(run), "targets": targets}


def title(run: StoredRun) -> str:
    """What was measured, in words that claim no more."""
    configuration = run.configuration
    servers = {"container": "gunicorn", "function": "functions-framework"}
    names = [str(name) for name in configuration.get("targets", [])]
    if configuration.get("cloud"):
        return f"Load at {' and '.join(names)}, deployed"
    return f"Load at {' and '.join(servers.get(name, name) for name in names)} on this machine"


def write_outputs(run: StoredRun) -> None:
    """Write the JTL file and the report into the folder.

    Raises:
        BenchError: they cannot be written.
    """
    samples = samples_of(run)
    started_s = float(run.results.get("started_at_s") or 0.0)
    users = int(run.configuration["plan"].get("users") or 1)
    try:
        (run.path / JTL_NAME).write_text(jtl(samples, started_s, users), encoding="utf-8")
        (run.path / REPORT_NAME).write_text(report_html(run, samples), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"{run.path} cannot be written: {error.strerror}") from error
