"""The folder that a benchmark writes: raw rows as they come, what was asked, where it ran, what came out.

    folder = RunFolder.create(Path("out"), command="queue", configuration={...}, columns=("sent_s", "status"))
    with folder.recording():              # the ending is labelled whatever happens: Ctrl-C, full disk, error
        folder.raw.write((0.1, 204))      # requests.csv; flushed twice a second, never more than that is lost
    folder.finish({"p99_s": 0.2})         # summary.json: {"status": "complete", ..., "results": {...}}

    run = read_run(Path("out"))           # bench.runs.read: also a partial run; run.rows, run.status
    parse_thresholds(["p99(response_s) > 2"], quantities, figures)    # bench.runs.thresholds: --fail-if
    page_html(title, lead, sections)      # bench.runs.page: the reports' style, no other file

A full disk stops the run (DiskFull): a reserve, given up then, leaves room for summary and report.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.errors import BenchError, DiskFull
from bench.runs.environment import environment
from bench.runs.raw import RawLog

RAW_NAME: Final = "requests.csv"
CONFIGURATION_NAME: Final = "configuration.json"
ENVIRONMENT_NAME: Final = "environment.json"
SUMMARY_NAME: Final = "summary.json"
REPORT_NAME: Final = "report.html"
RESERVE_NAME: Final = ".reserve"
_RESERVE_BYTES: Final = 2 * 2**20


def run_name(command: str) -> str:
    """A name for the jobs of a new run."""
    return f"{command}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


class RunFolder:
    """A run that is being written; see the module's text. Made by `create`; or on what was finished of one.

    Raises:
        OSError: the reserve cannot be written.
    """

    def __init__(self, path: Path, command: str, raw: RawLog) -> None:
        self.path = path
        self.raw = raw
        self.status = "running"
        self._command = command
        (path / RESERVE_NAME).write_bytes(b"\0" * _RESERVE_BYTES)
        self._started_at = datetime.now(UTC)
        self._clocks = (time.time(), time.monotonic())

    @classmethod
    def create(
        cls, path: Path, *, command: str, configuration: Mapping[str, Any], columns: Sequence[str]
    ) -> RunFolder:
        """Make the folder, which must be absent or empty, and begin the run.

        Args:
            path: where.
            command: the benchmark's name.
            configuration: all that is needed to do it again; JSON.
            columns: of the raw file.
        Raises:
            BenchError: it holds something, or cannot be written.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise BenchError(f"{path} holds a run already: name another folder with --out")
            raw = RawLog(path / RAW_NAME, columns)
            folder = cls(path, command, raw)
            folder.write_json(CONFIGURATION_NAME, {"command": command, **configuration})
            folder.write_json(ENVIRONMENT_NAME, environment())
            folder._write_summary({})
        except OSError as error:
            raise BenchError(f"{path} cannot be written: {error.strerror}") from error
        return folder

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Label how the recording ended. Ctrl-C and a full disk end it early, and are not raised again."""
        try:
            yield
        except KeyboardInterrupt:
            self.status = "interrupted"
        except DiskFull as error:
            self.status = f"disk full: {error}"
        except BaseException as error:
            self.status = f"failed: {error}"
            self.close()
            with suppress(OSError):
                self._write_summary({})
            raise
        self.close()

    def close(self) -> None:
        """End the raw file and give up the reserve."""
        with suppress(FileNotFoundError):
            (self.path / RESERVE_NAME).unlink()
        try:
            self.raw.close()
        except DiskFull as error:
            self.status = f"disk full: {error}"

    def finish(self, results: Mapping[str, Any]) -> None:
        """Write the summary; the run is complete unless `recording` says otherwise.

        Raises:
            BenchError: it cannot be written.
        """
        if self.status == "running":
            self.status = "complete"
        try:
            self._write_summary(results)
        except OSError as error:
            raise BenchError(f"the summary of {self.path} cannot be written: {error.strerror}") from error

    def write_json(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a JSON file of the folder, at once or not at all."""
        write_json(self.path, name, document)

    def _write_summary(self, results: Mapping[str, Any]) -> None:
        head = {
            "command": self._command,
            "status": self.status,
            "partial": self.status != "complete",
            "pid": os.getpid(),
            "started_at": self._started_at.isoformat(),
            "written_at": datetime.now(UTC).isoformat(),
            "clock_step_s": round(self._clock_step_s(), 3),
            "raw_rows": self.raw.rows,
        }
        self.write_json(SUMMARY_NAME, {**head, "results": results})

    def _clock_step_s(self) -> float:
        """How much further the wall clock went than the monotonic one: it was set, or the machine slept."""
        wall_s, monotonic_s = self._clocks
        return (time.time() - wall_s) - (time.monotonic() - monotonic_s)


def write_json(folder: Path, name: str, document: Mapping[str, Any]) -> None:
    """Write a JSON file of a run's folder, at once or not at all. Raises OSError."""
    write_text(folder, name, json.dumps(document, indent=2, default=str) + "\n")


def write_text(folder: Path, name: str, text: str) -> None:
    """Write a text file of a run's folder, at once or not at all. Raises OSError."""
    partial = folder / f".{name}.partial"
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / name)
    finally:
        partial.unlink(missing_ok=True)
