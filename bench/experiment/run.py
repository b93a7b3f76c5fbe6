"""An experiment from its file to its report; what was finished before a Ctrl-C is kept, and gone on from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.cloud.metrics import read_usage, window_of
from bench.cloud.targets import DeployedTarget, check_let_in
from bench.errors import BenchError
from bench.experiment.deployed import reach
from bench.experiment.instance import cores_of
from bench.experiment.pairs import pairs_of
from bench.experiment.plan import Experiment, order_digest, order_of, parse_experiment
from bench.experiment.trial import COLUMNS, Arm
from bench.runs.environment import environment
from bench.runs.folder import RAW_NAME, RunFolder, run_name
from bench.runs.kinds import conclude
from bench.runs.raw import RawLog
from bench.runs.read import RUNNING, StoredRun, read_run
from model.registry import ModelInfo, Registry

COMMAND: Final = "compare"
LOG_NAME: Final = "workers.log"
_SAME: Final = (
    "cpu_model",
    "cores",
    "memory_bytes",
    "python",
    "diptych",
    "commit",
    "uncommitted_changes",
    "versions",
)
_FAILURES_IN_A_ROW: Final = 3
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """What to do.

    Args:
        experiment: what is asked, and how.
        out: the run's folder; one that holds a part of this experiment is gone on with.
        model_dir: of models beside the shipped ones.
        owned: of deployed targets: hosts that are the user's.
    """

    experiment: Experiment
    out: Path
    model_dir: Path | None = None
    owned: tuple[str, ...] = ()


def run_compare(options: CompareOptions, tell: Tell) -> StoredRun:
    """Run it, or what is left of it. Ctrl-C and a full disk end it early, with a labelled, partial result.

    Raises:
        BenchError: the folder holds something else, or cannot be written.
        ModelError: there is no such model.
        StackError: an instance does not start.
    """
    experiment = options.experiment
    deployed = reach(experiment, options.owned)
    if not deployed:
        cores_of(experiment.pinned)
    model = Registry(options.model_dir).get(experiment.pinned.model)
    configuration = _configuration(experiment, model)
    folder, done = _open(options.out, configuration, experiment)
    if done:
        tell(f"{len(done)} pairs are there already")
    run = _Run(options, model, folder, deployed, tell)
    try:
        with folder.recording():
            run.record(done)
    finally:
        run.conclude()  # of what there is, also when an instance did not start
    return read_run(options.out)


def experiment_of(run: StoredRun) -> Experiment:
    """The experiment that a folder is of. Raises BenchError if it is of none."""
    return parse_experiment(run.configuration.get("experiment") or {}, str(run.path))


class _Run:
    """What the steps of one run share."""

    def __init__(
        self,
        options: CompareOptions,
        model: ModelInfo,
        folder: RunFolder,
        deployed: Mapping[str, DeployedTarget],
        tell: Tell,
    ) -> None:
        self._options, self._model, self._folder, self._tell = options, model, folder, tell
        self._deployed = deployed
        self._origin, self._started_s = time.perf_counter(), time.time()
        self._job = run_name(COMMAND)

    def record(self, done: Set[int]) -> None:
        """Run the pairs but for those that are done."""
        experiment = self._options.experiment
        in_a_row = 0
        for pair, order in enumerate(order_of(experiment)):
            if pair in done:
                continue
            begun = time.perf_counter()
            arms = [self._arm(pair, place, name) for place, name in enumerate(order)]
            fine = all(arms)
            spent_s = time.perf_counter() - begun
            names = ", then ".join(order)
            state = "" if fine else "; a request FAILED: left out"
            self._tell(f"pair {pair + 1} of {experiment.trials.pairs}: {names}: {spent_s:.1f} s{state}")
            in_a_row = 0 if fine else in_a_row + 1
            if in_a_row == _FAILURES_IN_A_ROW:
                raise BenchError(
                    f"requests failed in {in_a_row} pairs one after the other: see {LOG_NAME} in"
                    f" {self._options.out}, and the column `status` of {RAW_NAME}"
                )

    def conclude(self) -> None:
        """Write figures and report."""
        deployed, ended_s = (
            self._options.experiment.deployed,
            self._started_s + time.perf_counter() - self._origin,
        )
        # Of this session: a run that was gone on with had others before.
        windows = {
            name: window_of(target.target, target.url, self._started_s, ended_s)
            for name, target in self._deployed.items()
        }
        project, patient = deployed.project if deployed else "", self._folder.status == "running"
        conclude(self._folder, {"cloud": read_usage(project, windows, self._tell, patient=patient)})

    def _arm(self, pair: int, place: int, name: str) -> bool:
        options = self._options
        arm = Arm(
            experiment=options.experiment,
            model=self._model,
            job_id=f"{self._job}-{pair}",
            pair=pair,
            place=place,
            name=name,
            origin=self._origin,
            log=options.out / LOG_NAME,
            model_dir=options.model_dir,
            deployed=self._deployed.get(name),
        )
        rows = arm.run()
        for row in rows:
            self._folder.raw.write(row.cells())
        self._folder.raw.flush()
        if name in self._deployed:
            for row in rows:
                check_let_in(name, row.status)
        return all(200 <= row.status < 300 for row in rows)


def _configuration(experiment: Experiment, model: ModelInfo) -> dict[str, Any]:
    order = order_of(experiment)
    return {
        "experiment": experiment.model_dump(mode="json", exclude_none=True),
        "model_digest": model.digest,
        **({} if experiment.deployed else {"cores_of_instances": cores_of(experiment.pinned)}),
        "order": [" ".join(pair) for pair in order],
        "order_digest": order_digest(order),
    }


def _open(out: Path, configuration: Mapping[str, Any], experiment: Experiment) -> tuple[RunFolder, set[int]]:
    """A new folder, or one that is gone on with and the pairs that it has."""
    if not (out / "summary.json").exists():
        return RunFolder.create(out, command=COMMAND, configuration=configuration, columns=COLUMNS), set()
    stored = read_run(out)
    _check_same(stored, configuration)
    pairs = pairs_of(stored.rows, experiment)
    done = {*pairs.sound, *pairs.failed}
    rows = [row for row in stored.rows if int(row["pair"]) in done]
    try:
        return RunFolder(out, COMMAND, _rewritten(out, rows)), done
    except OSError as error:
        raise BenchError(f"{out} cannot be written: {error.strerror}") from error


def _check_same(stored: StoredRun, configuration: Mapping[str, Any]) -> None:
    """A run is continued under its own conditions only."""
    path, pid = stored.path, stored.summary.get("pid")
    if stored.status == RUNNING:
        raise BenchError(f"{path} is being written by process {pid}: wait for it")
    if stored.configuration != {"command": COMMAND, **configuration}:
        raise BenchError(f"{path} holds another experiment: name another folder with --out")
    now = environment()
    changed = [name for name in _SAME if stored.environment.get(name) != now[name]]
    if changed:
        raise BenchError(
            f"{path} was begun under other conditions ({', '.join(changed)}), and pairs of both are not"
            " alike: name another folder with --out"
        )


def _rewritten(out: Path, rows: Sequence[Mapping[str, str]]) -> RawLog:
    """The raw file with the finished pairs alone; the old one is there until it is whole. Raises OSError."""
    partial = out / f".{RAW_NAME}.resumed"
    raw = RawLog(partial, COLUMNS)
    for row in rows:
        raw.write([row.get(name, "") for name in COLUMNS])
    raw.flush()
    partial.replace(out / RAW_NAME)
    raw.path = out / RAW_NAME
    return raw
