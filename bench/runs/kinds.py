"""The kinds of runs, and what `bench report` asks of each: figures from raw rows, a page, a pair of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol, cast

from bench.errors import BenchError
from bench.runs.folder import RESERVE_NAME, SUMMARY_NAME, RunFolder, write_json
from bench.runs.page import page_html, pair_conditions
from bench.runs.read import RUNNING, StoredRun, read_run

_MODULES: Final[Mapping[str, str]] = {
    "load": "bench.load.reload",
    "queue": "bench.queue.reload",
    "cold": "bench.cold.reload",
    "cold --cloud": "bench.cold.reload",
    "compare": "bench.experiment.reload",
    "scale": "bench.scale.reload",
}
"""By the command that wrote the run."""


class Kind(Protocol):
    """A module of the table: one command's runs, read again."""

    def results_of(self, run: StoredRun) -> dict[str, Any]:
        """All figures of its raw rows; what no row tells is taken from the results that it has."""

    def write_outputs(self, run: StoredRun) -> None:
        """Write the report, and what else the command makes of the rows."""

    def text_lines(self, run: StoredRun) -> list[str]:
        """The run in a few lines."""

    def pair_sections(self, runs: Sequence[StoredRun], names: Sequence[str]) -> Iterator[str]:
        """Markup of two runs side by side, below their heading."""


def conclude(folder: RunFolder, known: Mapping[str, Any]) -> StoredRun:
    """End a run: write the figures of its raw rows, and the report.

    Args:
        folder: of the run, recorded.
        known: results that no row holds.
    Raises:
        BenchError: they cannot be written.
    """
    folder.finish(known)
    folder.finish(read_again(folder.path).results)
    run = read_run(folder.path)
    try:
        kind_of(run).write_outputs(run)
    except OSError as error:
        raise BenchError(f"{run.path} cannot be written: {error.strerror}") from error
    return run


def read_again(path: Path) -> StoredRun:
    """A run, also a partial one, with its figures made anew of its raw rows.

    Raises:
        BenchError: it is no run folder, of no known kind, or its rows cannot be read.
    """
    run = read_run(path)
    head = {"status": run.status, "partial": run.partial, "raw_rows": len(run.rows)}
    return replace(run, summary={**run.summary, **head, "results": kind_of(run).results_of(run)})


def write_again(run: StoredRun) -> None:
    """Write summary and report of a run that was read again.

    Raises:
        BenchError: they cannot be written.
    """
    try:
        if run.status != RUNNING:  # its summary is its own until it ends
            now = datetime.now(UTC).isoformat()
            (run.path / RESERVE_NAME).unlink(missing_ok=True)  # a kill leaves it
            write_json(run.path, SUMMARY_NAME, {**run.summary, "written_at": now})
        kind_of(run).write_outputs(run)
    except OSError as error:
        raise BenchError(f"{run.path} cannot be written: {error.strerror}") from error


def side_by_side(runs: Sequence[StoredRun]) -> str:
    """Two runs of one kind as one file.

    Raises:
        BenchError: they are of two kinds.
    """
    kinds = [str(run.configuration.get("command")) for run in runs]
    if len({*kinds}) > 1:
        both = " and ".join(f"{run.path} is of `bench {kind}`" for run, kind in zip(runs, kinds, strict=True))
        raise BenchError(f"two runs side by side are of one kind: {both}")
    names = _names(runs)
    leads = [
        " ".join((f"{name}: {run.results.get('title')}.", *run.marks))
        for name, run in zip(names, runs, strict=True)
    ]
    title = f"Two runs of bench {kinds[0]}: {' and '.join(names)}"
    sections = (*kind_of(runs[0]).pair_sections(runs, names), pair_conditions(runs, names))
    return page_html(title, " ".join(leads), sections)


def kind_of(run: StoredRun) -> Kind:
    """Who knows runs like this. Raises BenchError if nobody does."""
    command = str(run.configuration.get("command"))
    if command not in _MODULES:
        raise BenchError(f"{run.path} is a run of `bench {command}`; there is {', '.join(_MODULES)}")
    return cast(Kind, importlib.import_module(_MODULES[command]))


def _names(runs: Sequence[StoredRun]) -> list[str]:
    """As short as they can be told apart."""
    for names in ([run.path.resolve().name for run in runs], [str(run.path) for run in runs]):
        if len({*names}) == len(names):
            return names
    return [f"{run.path} ({letter})" for run, letter in zip(runs, "AB", strict=False)]
