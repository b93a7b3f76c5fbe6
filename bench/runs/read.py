"""Reading a run folder, also one whose run was killed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil

from bench.errors import BenchError
from bench.runs.folder import CONFIGURATION_NAME, ENVIRONMENT_NAME, RAW_NAME, SUMMARY_NAME

Row = TypeVar("Row")
RUNNING: Final = "still running"
CLOCK_STEP_S: Final = 0.5
"""The wall clock went so much faster or slower than the monotonic one, in all: no drift does that."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What a folder holds.

    Args:
        path: the folder.
        configuration: what was asked.
        environment: where it ran.
        summary: what came out; its `results` are empty if the run was killed.
        status: "complete", or why the run is partial.
        rows: of the raw file, whole ones; cells are text.
    """

    path: Path
    configuration: dict[str, Any]
    environment: dict[str, Any]
    summary: dict[str, Any]
    status: str
    rows: list[dict[str, str]]

    @property
    def partial(self) -> bool:
        """True unless the run came to its end."""
        return self.status != "complete"

    @property
    def marks(self) -> list[str]:
        """What a reader must know before any figure, a sentence each."""
        found = [f"PARTIAL: {self.status}."] if self.partial else []
        step_s = float(self.summary.get("clock_step_s") or 0.0)
        if abs(step_s) > CLOCK_STEP_S:
            found.append(
                f"CLOCK STEPPED by {step_s:+,.1f} s while it ran, or the machine slept: what the wall clock"
                " tells, as in records, cannot be trusted; durations of one process can."
            )
        return found

    @property
    def results(self) -> dict[str, Any]:
        """The figures of the summary."""
        found: dict[str, Any] = self.summary.get("results") or {}
        return found

    def figures(self, target: str, phase: str) -> dict[str, Any]:
        """The figures of a phase of a target; {} if there are none."""
        found: dict[str, Any] = ((self.results.get("targets") or {}).get(target) or {}).get(phase) or {}
        return found

    def read_rows(self, command: str, read: Callable[[dict[str, str]], Row]) -> list[Row]:
        """The rows as what they are.

        Args:
            command: whose rows they should be, for the error.
            read: makes one of its cells.
        Raises:
            BenchError: they are of another command's run.
        """
        try:
            return [read(row) for row in self.rows]
        except (KeyError, ValueError) as error:
            raise BenchError(f"{self.path} holds no {command} run: a row cannot be read ({error})") from error


def read_run(path: Path) -> StoredRun:
    """Read a folder.

    Raises:
        BenchError: it is no run folder, or a file of it cannot be read.
    """
    summary = _json(path / SUMMARY_NAME)
    return StoredRun(
        path=path,
        configuration=_json(path / CONFIGURATION_NAME),
        environment=_json(path / ENVIRONMENT_NAME),
        summary=summary,
        status=_status(summary),
        rows=_rows(path / RAW_NAME),
    )


def _status(summary: dict[str, Any]) -> str:
    status = str(summary.get("status", "unknown"))
    if status != "running":
        return status
    alive = psutil.pid_exists(int(summary.get("pid") or 0))
    return RUNNING if alive else "killed before its end"


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BenchError(
            f"{path.parent} is no folder of a benchmark: {path.name}: {error.strerror}"
        ) from error
    except ValueError as error:
        raise BenchError(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise BenchError(f"{path} is damaged: it holds no JSON object")
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {error.strerror}") from error
    # A kill, or a disk that filled up, may have torn the last row.
    whole = text[: text.rfind("\n") + 1]
    lines = csv.reader(whole.splitlines())
    head = next(lines, [])
    return [dict(zip(head, cells, strict=True)) for cells in lines if len(cells) == len(head)]
