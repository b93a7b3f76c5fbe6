"""A queue run, from an empty folder to its report."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

from bench.cloud.metrics import read_usage
from bench.errors import BenchError
from bench.load.generator.schedule import Arrivals
from bench.queue import deployed
from bench.queue.deployed import deployed_settings
from bench.queue.follow import Flight, Follower
from bench.queue.schedule import due_times, fingerprint
from bench.queue.submitters import Submitters
from bench.queue.task_timing import TaskTiming
from bench.runs.folder import RunFolder, run_name
from bench.runs.kinds import conclude
from bench.runs.read import StoredRun
from bench.runs.title import title_of
from local.options import Broker, StackOptions
from local.stack import Stack, running
from model.registry import Registry
from pipeline.config.run_file import RunFile, find_run_file
from pipeline.config.settings import Settings, load_settings
from pipeline.errors import BrokerError
from producer.open_publisher import check_broker_reaches
from producer.submit import JobRequest, draft_job
from results.stores.base import Store
from results.stores.open import open_store
from results.targets import TARGET_INFO, Target

POLL_S: Final = 0.05
_THROUGH: Final = {"celery": "Celery on Valkey", "pubsub": "the Pub/Sub emulator"}
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """What to do.

    Args:
        out: the run's folder.
        jobs: how many.
        images: of each.
        images_per_task: the cut into tasks; None: as a user's submission is cut.
        rate: jobs per second.
        arrivals: independent of one another, or evenly spaced.
        warm_up: so many first jobs are apart.
        targets: of each job.
        running: use the stack of this folder, instead of a fresh one.
        broker: of a fresh one; with cloud: the deployed topic's URL, "" for the environment's.
        slots: of each target; None of a running stack, or of a deployed target: unknown.
        model: registered name.
        seed: of the schedule, and of the images.
        timeout_s: after the last submission.
        cloud: use what is deployed.
        store_url: its store; "": the environment's.
        project: whose Cloud Monitoring is read; "": none.
    """

    out: Path
    jobs: int
    images: int
    images_per_task: int | None
    rate: float
    arrivals: Arrivals
    warm_up: int
    targets: tuple[Target, ...]
    running: bool
    broker: str
    slots: int | None
    model: str
    seed: int
    timeout_s: float
    cloud: bool = False
    store_url: str = ""
    project: str = ""


def run_queue(options: QueueOptions, tell: Tell) -> StoredRun:
    """Run it; Ctrl-C, a full disk and a stack that ends leave a labelled, partial result.

    Args:
        options: what to do.
        tell: given lines for the user.
    Raises:
        BenchError: no stack runs here, nothing deployed is named, or the folder cannot be written.
        StackError: the stack does not start.
        ModelError, RequestError, StoreError: a job cannot be submitted.
    """
    run = _Run(options, tell)
    run.record()
    return run.conclude()


class _Run:
    """One run: what its steps share."""

    def __init__(self, options: QueueOptions, tell: Tell) -> None:
        self._options, self._tell = options, tell
        self._due = due_times(options.jobs, options.rate, options.arrivals, options.seed)
        self._name = run_name("queue")
        self._stack: Stack | None = None
        self._started_s = time.time()
        self._flights: list[Flight] = []
        self._clocks: dict[str, Any] = {}
        # A bad request is refused before anything is made or started.
        self._registry = Registry(load_settings().model_dir)
        draft_job(self._request(0), self._registry)
        if options.running:
            _running_stack()
        self._deployed = deployed_settings(options.broker, options.store_url) if options.cloud else None
        if self._deployed:
            check_broker_reaches(self._deployed, options.targets)
        where = self._deployed
        configuration = {
            **asdict(options),
            **({"broker": where.broker_url, "store_url": where.store_url} if where else {}),
            "jobs_named": f"{self._name}-…",
            "schedule": fingerprint(self._due),
        }
        self._folder = RunFolder.create(
            options.out, command="queue", configuration=configuration, columns=TaskTiming.columns()
        )

    def record(self) -> None:
        """Submit everything, and follow it to its end."""
        with self._folder.recording(), self._settings() as settings:
            check_broker_reaches(settings, self._options.targets)
            store = open_store(settings.require_store_url())
            with Submitters(settings, store, self._registry) as submitters:
                self._drive(store, submitters)

    def conclude(self) -> StoredRun:
        """Write the figures and the report."""
        deployed_settings, targets = self._deployed, self._options.targets
        title = deployed.title(deployed_settings, targets) if deployed_settings else _title(self._options)
        return conclude(self._folder, {"title": title, **self._clocks, "cloud": self._usage()})

    @contextmanager
    def _settings(self) -> Iterator[Settings]:
        """Where to submit, while the stack runs."""
        options = self._options
        if self._deployed:
            yield self._deployed
            return
        if options.running:
            stack_file = _running_stack()
            yield load_settings(store_url=stack_file.store_url, broker_url=stack_file.broker_url)
            return
        self._tell("starting a stack")
        with tempfile.TemporaryDirectory(prefix="dtq-") as name:
            slots = options.slots or 1
            wanted = StackOptions(
                Path(name),
                cast(Broker, options.broker),
                container_slots=slots,
                function_slots=slots,
                celery_slots=slots if "celery" in options.targets else 0,
                environment={"DIPTYCH_LOG_LEVEL": "WARNING"},
            )
            with running(wanted) as self._stack:
                yield load_settings(
                    store_url=self._stack.store_url, broker_url=self._stack.addresses.broker_url
                )

    def _drive(self, store: Store, submitters: Submitters) -> None:
        origin = time.monotonic()
        submitters.begin(origin)
        follower = Follower(store, origin, lambda timing: self._folder.raw.write(timing.cells()))
        self._tell(f"submitting {self._options.jobs} jobs in about {self._due[-1]:.0f} s")
        try:
            for job, due_s in enumerate(map(float, self._due)):
                self._follow(submitters, follower, origin + due_s)
                submitters.send(job, due_s, self._request(job), warm_up=job < self._options.warm_up)
            limit_s = self._options.timeout_s
            self._follow(submitters, follower, time.monotonic() + limit_s, empty_is_end=True)
            if follower.waiting or submitters.busy:
                self._folder.status = f"not every job had ended {limit_s:g} s after the last was due"
        except _StackGone as error:
            self._folder.status = str(error)
        except BrokerError as error:
            self._folder.status = f"a submission failed: {error}"
            follower.give_up("unfinished")
        except KeyboardInterrupt:
            follower.give_up("unfinished")
            raise
        follower.give_up("missing")
        if self._deployed:
            self._clocks["clocks"] = deployed.clocks(store, self._flights, origin)

    def _usage(self) -> dict[str, Any]:
        if not self._deployed or not self._options.project:
            return {}
        windows = deployed.windows(self._deployed, self._options.targets, self._started_s, time.time())
        patient = self._folder.status == "running"
        return read_usage(self._options.project, windows, self._tell, patient=patient)

    def _follow(
        self, submitters: Submitters, follower: Follower, until: float, *, empty_is_end: bool = False
    ) -> None:
        """Look for records until a time, or until all are there."""
        while (left := until - time.monotonic()) > 0:
            for flight in submitters.flights():
                follower.add(flight)
                self._flights.append(flight)
            if empty_is_end and not (follower.waiting or submitters.busy):
                return
            if self._stack and self._stack.ended.is_set():
                raise _StackGone("the stack ended before the jobs did")
            begun = time.monotonic()
            follower.look(until)
            time.sleep(max(0.0, min(POLL_S - (time.monotonic() - begun), left)))

    def _request(self, job: int) -> JobRequest:
        options = self._options
        return JobRequest(
            model=options.model,
            count=options.images,
            targets=options.targets,
            seed=options.seed + job,
            job_id=f"{self._name}-{job:05d}",
            images_per_task=options.images_per_task,
        )


def _running_stack() -> RunFile:
    stack_file = find_run_file()
    if stack_file is None or not stack_file.is_alive():
        raise BenchError("no stack runs in this folder: start `diptych up`, or leave --running out")
    return stack_file


class _StackGone(Exception):
    """The stack of the run's own ended."""


def _title(options: QueueOptions) -> str:
    if options.running:
        names = " and ".join(TARGET_INFO[target].server for target in options.targets)
        return f"Jobs through the running stack to {names}"
    return title_of(f"Jobs through {_THROUGH[options.broker]} to", {"targets": options.targets})
