"""A load run, from an empty folder to its report."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bench.cloud.metrics import Window, read_usage, window_of
from bench.cloud.targets import DeployedTarget, check_let_in, deployed_target
from bench.errors import DiskFull
from bench.load import resources
from bench.load.generator.ceiling import measure_ceiling
from bench.load.generator.load_generator import LoadGenerator
from bench.load.generator.pushes import Pushes
from bench.load.generator.sample import Phase, Sample
from bench.load.generator.schedule import LoadPlan, fingerprint
from bench.load.hosts import check_answers, check_host, is_local
from bench.load.workers import Worker, listening_pid, local_worker
from bench.runs.folder import RunFolder, run_name
from bench.runs.kinds import conclude
from bench.runs.raw import RawLog
from bench.runs.read import StoredRun, read_run
from model.registry import ModelInfo, Registry
from results.targets import Target

RESOURCES_NAME: Final = "resources.csv"
COLD_LIMIT_S: Final = 300.0
CEILING_S: Final = 1.5
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What to do.

    Args:
        out: the run's folder.
        targets: in this order, one after the other.
        plan: the load of each.
        urls: of workers that run already; a target that is not named here gets a fresh one.
        owned: hosts that are the user's.
        model: registered name.
        images: per task.
        slots: worker processes of a fresh worker.
        sample_s: between samples of CPU and memory.
        cloud: send ID tokens.
        account: that the tokens are for; "": the user's own.
        project: whose Cloud Monitoring is asked; "": none.
        model_dir: of models beside the shipped ones.
    """

    out: Path
    targets: tuple[Target, ...]
    plan: LoadPlan
    urls: dict[Target, str]
    owned: tuple[str, ...] = ()
    model: str = "faces-64"
    images: int = 1
    slots: int = 1
    sample_s: float = 60.0
    cloud: bool = False
    account: str = ""
    project: str = ""
    model_dir: Path | None = None


def run_load(options: LoadOptions, tell: Tell) -> StoredRun:
    """Run it; Ctrl-C and a full disk end it early, with a labelled, partial result.

    Args:
        options: what to do.
        tell: given lines for the user.
    Raises:
        BenchError: an address is refused or nobody answers there, a deployed target does not let us in, or
            the folder cannot be written.
        ModelError: there is no such model.
        StackError: a worker does not start.
    """
    for target, url in options.urls.items():
        check_host(url, options.owned)
        check_answers(url, target)
    model = Registry(options.model_dir).get(options.model)
    deployed = {
        target: deployed_target(target, url, options.owned, options.account)
        for target, url in options.urls.items()
        if options.cloud
    }
    run = _Run(options, model, deployed, tell)
    try:
        run.record()
    finally:
        run.conclude()  # of what there is, also when a worker did not start
    return read_run(options.out)


class _Run:
    """One run: what its steps share."""

    def __init__(
        self, options: LoadOptions, model: ModelInfo, deployed: Mapping[Target, DeployedTarget], tell: Tell
    ) -> None:
        self._options, self._model, self._tell = options, model, tell
        self._deployed = deployed
        self._job = run_name("load")
        self._folder = RunFolder.create(
            options.out, command="load", configuration=self._configuration(), columns=Sample.columns()
        )
        self._resources = RawLog(options.out / RESOURCES_NAME, resources.Usage.columns())
        # The wall clock is read once: a step of it in the middle moves nothing.
        self._origin, self._started_s = time.perf_counter(), time.time()
        self._accounts: dict[str, Any] = {}
        self._ceiling: dict[str, Any] | None = None
        self._windows: dict[str, Window] = {}

    def record(self) -> None:
        """Send everything."""
        options = self._options
        with self._folder.recording():
            self._tell("measuring the generator's own ceiling")
            users = min(options.plan.users or options.plan.in_flight, 100)
            self._ceiling = asdict(measure_ceiling(users, CEILING_S))
            for target in options.targets:
                with self._worker(target) as worker:
                    self._load(worker)
        with suppress(DiskFull):
            self._resources.close()

    def conclude(self) -> None:
        """Write the figures and the report."""
        ended = self._folder.status == "running"
        known = {
            "started_at_s": self._started_s,
            "ceiling": self._ceiling,
            "accounts": self._accounts,
            "cloud": read_usage(self._options.project, self._windows, self._tell, patient=ended),
        }
        conclude(self._folder, known)

    @contextmanager
    def _worker(self, target: Target) -> Iterator[Worker]:
        options = self._options
        url = options.urls.get(target)
        if url:
            parts = urlsplit(url)
            pid = listening_pid(parts.port or 80) if is_local(url) else None
            yield Worker(target, url, pid)
            return
        self._tell(f"starting a fresh {target}")
        with tempfile.TemporaryDirectory(prefix="dtl-") as name:
            log = options.out / f"{target}.log"
            with local_worker(
                target, Path(name), slots=options.slots, model_dir=options.model_dir, log=log
            ) as worker:
                yield worker

    def _load(self, worker: Worker) -> None:
        options, origin = self._options, self._origin
        sampler: Any = nullcontext()
        if worker.pid is not None:
            sampler = resources.ResourceSampler(
                worker.target, worker.pid, options.sample_s, origin, self._used
            )
        begun_s = time.perf_counter() - origin
        try:
            with sampler:
                first = self._cold(worker) if worker.fresh else 0
                self._tell(f"load at the {worker.target} for {options.plan.duration_s:g} s")
                generator = self._generator(worker, options.plan, first_task=first)
                try:
                    generator.run()
                finally:
                    self._accounts[worker.target] = asdict(generator.account)
        finally:
            if options.cloud and options.project:
                ended_s = time.perf_counter() - origin
                started_s = self._started_s
                self._windows[worker.target] = window_of(
                    worker.target, worker.url, started_s + begun_s, started_s + ended_s
                )

    def _cold(self, worker: Worker) -> int:
        """The first requests that a fresh worker sees, one at a time; returns the next task's number."""
        first = 0
        for _ in range(worker.slots):
            generator = self._generator(
                worker, LoadPlan(duration_s=COLD_LIMIT_S, users=1), first_task=first, phase="cold"
            )
            generator.run(limit=1)
            first = generator.next_task
        return first

    def _generator(
        self, worker: Worker, plan: LoadPlan, *, first_task: int, phase: Phase | None = None
    ) -> LoadGenerator:
        options = self._options
        pushes = Pushes(self._job, self._model, worker.target, options.images, plan.seed)
        deployed = self._deployed.get(worker.target)

        def seen(sample: Sample) -> None:
            self._folder.raw.write(sample.cells())
            if deployed:
                check_let_in(worker.target, sample.status)

        return LoadGenerator(
            worker.url,
            worker.target,
            plan,
            pushes.body,
            seen,
            headers=deployed.headers if deployed else list,
            origin=self._origin,
            phase=phase,
            first_task=first_task,
        )

    def _used(self, usage: resources.Usage) -> None:
        with suppress(DiskFull):  # the requests' own file meets the same disk, and ends the run
            self._resources.write(usage.cells())

    def _configuration(self) -> dict[str, Any]:
        options = self._options
        return {
            **asdict(options),
            "job_id": self._job,
            "model_digest": self._model.digest,
            "schedule": fingerprint(options.plan),
        }
