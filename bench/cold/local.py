"""Cold starts of workers on this machine: fresh processes, one after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.cold.imports import imports_of
from bench.cold.sample import ColdStart
from bench.cold.starter import Starter
from bench.cold.variants import LOCAL
from bench.load.generator.pushes import Pushes
from bench.runs.folder import RunFolder, run_name
from bench.runs.kinds import conclude
from bench.runs.read import StoredRun
from model.registry import ModelInfo, Registry
from pipeline.config.settings import load_settings
from results.targets import Target

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ColdOptions:
    """What to do, of either kind.

    Args:
        out: the run's folder.
        repeats: starts of each target, or bursts at it.
        targets: in this order first, then alternating.
        model: registered name.
        seed: of the images.
        timeout_s: limit of each step of a start, or of a request.
    """

    out: Path
    repeats: int
    targets: tuple[Target, ...]
    model: str
    seed: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class LocalColdOptions(ColdOptions):
    """Those of a run on this machine; imports: make one more start of each target, profiled."""

    imports: bool


def run_cold(options: LocalColdOptions, tell: Tell) -> StoredRun:
    """Run it; Ctrl-C and a full disk end it early, with a labelled, partial result.

    Raises:
        BenchError: the folder cannot be written.
        ModelError: there is no such model.
    """
    settings = load_settings()
    model = Registry(settings.model_dir).get(options.model)
    configuration = {**asdict(options), "model_digest": model.digest, "slots": 1, "images": 1}
    folder = RunFolder.create(
        options.out, command=LOCAL.command, configuration=configuration, columns=LOCAL.columns
    )
    imports: dict[str, Any] = {}
    with (
        folder.recording(),
        tempfile.TemporaryDirectory(prefix="dtc-") as name,
        Starter(Path(name), settings, options.timeout_s) as starter,
    ):
        if options.imports:
            for target in options.targets:
                tell(f"profiling the imports of a {target}")
                log = options.out / f"{target}-imports.log"
                start, pushes = ColdStart(-1, 0, target), _pushes(options, model, target)
                imports[target] = {"imports": imports_of(starter.start(start, pushes, log, profiled=True))}
        for repeat, position, target in in_turn(options.repeats, options.targets):
            start = ColdStart(repeat, position, target, phase="cold")
            starter.start(start, _pushes(options, model, target), options.out / f"{target}.log")
            folder.raw.write(start.cells(LOCAL.columns))
            folder.raw.flush()
            tell(_line(start, options.repeats))
    return conclude(folder, {"targets": imports})


def in_turn(repeats: int, targets: tuple[Target, ...]) -> list[tuple[int, int, Target]]:
    """Repeat, position in it and target: the order of the targets alternates."""
    return [
        (repeat, position, target)
        for repeat in range(repeats)
        for position, target in enumerate(targets if repeat % 2 == 0 else targets[::-1])
    ]


def _pushes(options: ColdOptions, model: ModelInfo, target: Target) -> Pushes:
    return Pushes(run_name("cold"), model, target, 1, options.seed)


def _line(start: ColdStart, repeats: int) -> str:
    head = f"{start.repeat + 1:3} of {repeats} {start.target:10}"
    if start.outcome != "ok" or start.first_response_s is None or start.png_s is None:
        return f"{head} failed: {start.error}"
    return f"{head} first response {start.first_response_s:.2f} s, first image stored {start.png_s:.2f} s"
