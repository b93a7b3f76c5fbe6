"""A cold run, from an empty folder to its report."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.cold.imports import imports_of
from bench.cold.report import report_html
from bench.cold.sample import COLUMNS, ColdStart
from bench.cold.starter import Starter
from bench.cold.summary import analyse, starts_of
from bench.load.pushes import Pushes
from bench.runs.folder import RunFolder
from bench.runs.read import StoredRun, read_run
from model.registry import Registry
from pipeline.config.settings import load_settings
from results.documents import Target
from results.targets import TARGET_INFO

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ColdOptions:
    """What to do.

    Args:
        out: the run's folder.
        repeats: starts of each target.
        targets: in this order first, then alternating.
        model: registered name.
        seed: of the images.
        timeout_s: limit of each step of a start.
        imports: make one more start of each, profiled.
    """

    out: Path
    repeats: int
    targets: tuple[Target, ...]
    model: str
    seed: int
    timeout_s: float
    imports: bool


def run_cold(options: ColdOptions, tell: Tell) -> StoredRun:
    """Run it; Ctrl-C and a full disk end it early, with a labelled, partial result.

    Args:
        options: what to do.
        tell: given lines for the user.
    Raises:
        BenchError: the folder cannot be written.
        ModelError: there is no such model.
    """
    run = _Run(options, tell)
    run.record()
    return run.conclude()


class _Run:
    """One run: what its steps share."""

    def __init__(self, options: ColdOptions, tell: Tell) -> None:
        self._options, self._tell = options, tell
        self._settings = load_settings()
        self._model = Registry(self._settings.model_dir).get(options.model)
        self._imports: dict[str, Any] = {}
        configuration = {**asdict(options), "model_digest": self._model.digest, "slots": 1, "images": 1}
        self._folder = RunFolder.create(
            options.out, command="cold", configuration=configuration, columns=COLUMNS
        )

    def record(self) -> None:
        """Make every start."""
        options = self._options
        with (
            self._folder.recording(),
            tempfile.TemporaryDirectory(prefix="dtc-") as name,
            Starter(Path(name), self._settings, options.timeout_s) as starter,
        ):
            if options.imports:
                self._profile(starter)
            for repeat in range(options.repeats):
                order = options.targets if repeat % 2 == 0 else options.targets[::-1]
                for position, target in enumerate(order):
                    found = ColdStart(repeat, position, target)
                    starter.start(found, self._pushes(target), options.out / f"{target}.log")
                    self._folder.raw.write(found.row())
                    self._folder.raw.flush()
                    self._tell(_line(found, options.repeats))

    def conclude(self) -> StoredRun:
        """Write the figures and the report."""
        out = self._options.out
        starts = starts_of(read_run(out))
        servers = " and ".join(TARGET_INFO[target].server for target in self._options.targets)
        title = f"Cold starts of {servers} on this machine"
        self._folder.finish({"title": title, **analyse(starts, self._imports)})
        stored = read_run(out)
        self._folder.write_report(report_html(stored, starts))
        return stored

    def _profile(self, starter: Starter) -> None:
        """One start of each with the times of its imports; it fills the system's file cache too."""
        for target in self._options.targets:
            self._tell(f"profiling the imports of a {target}")
            found = ColdStart(-1, 0, target)
            log = self._options.out / f"{target}-imports.log"
            lines = starter.start(found, self._pushes(target), log, profiled=True)
            self._imports[target] = imports_of(lines)

    def _pushes(self, target: Target) -> Pushes:
        job = f"cold-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        return Pushes(job, self._model, target, 1, self._options.seed)


def _line(found: ColdStart, repeats: int) -> str:
    head = f"{found.repeat + 1:3} of {repeats} {found.target:10}"
    if found.outcome != "ok" or found.first_response_s is None or found.png_s is None:
        return f"{head} failed: {found.error}"
    return f"{head} first response {found.first_response_s:.2f} s, first image stored {found.png_s:.2f} s"
