"""One arm of a pair: a fresh instance, its cold requests, its warm ones, what its records say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Final, Literal

from bench.cloud.targets import DeployedTarget
from bench.experiment.instance import Fresh, fresh_instance
from bench.experiment.plan import Experiment, Injection, Phase
from bench.load.generator.pushes import Pushes
from bench.load.generator.transfer import Times, Transfer
from bench.load.workers import Worker
from bench.runs.rows import RawRow
from model.registry import ModelInfo
from results.errors import ResultsError
from results.records import StoredRecord, cpu_s_per_image, iter_records
from results.stores.open import open_store


@dataclass(frozen=True, slots=True)
class Row(RawRow):
    """One request.

    Args:
        pair: number of the trial, from 0.
        place: 0 if this arm went first in its pair, else 1.
        name: of the target in the experiment.
        phase: in which it was sent; "first" of deployed targets, where it may be cold or not.
        task: the same tasks in every arm.
        at_s: sent, since the run's start.
        status: HTTP; 0 if there was no answer.
        response_s: sending to the last byte, with what was injected.
        first_byte_s: the same to the first byte.
        connect_s: of a new connection.
        injected_s: of it.
        start_s: until the instance was ready; None of deployed ones.
        cold: 1 if the process that generated had generated nothing before; None without a record.
        process_s: the worker's own time; likewise the next two.
        cpu_s_per_image: its CPU time.
        rss_peak_bytes: its memory at most.
        error: libcurl's words.
        instance: the worker process. This and what follows is what the record says of its settings.
        revision: what is deployed.
    """

    pair: int
    place: int
    name: str
    phase: Phase | Literal["first"]
    task: int
    at_s: float
    status: int
    response_s: float | None
    first_byte_s: float | None
    connect_s: float | None
    injected_s: float
    start_s: float | None
    cold: int | None = None
    process_s: float | None = None
    cpu_s_per_image: float | None = None
    rss_peak_bytes: int | None = None
    error: str = ""
    instance: str = ""
    revision: str = ""
    engine: str = ""
    precision: str = ""
    threads: int | None = None
    batch_size: int | None = None
    preloaded: int | None = None
    isa: str = ""
    cpu_model: str = ""


COLUMNS: Final = Row.columns()
SETTINGS: Final = COLUMNS[COLUMNS.index("instance") :]
"""Columns that runs of before have not."""


@dataclass(frozen=True, slots=True)
class Arm:
    """What a trial of one target is made of.

    Args:
        experiment: the whole.
        model: what generates.
        job_id: of this trial; the store is the instance's own.
        pair: number.
        place: 0 or 1.
        name: of the target.
        origin: what times count from (time.perf_counter).
        log: of the workers.
        model_dir: of models beside the shipped ones.
        deployed: what answers instead of a fresh instance.
    """

    experiment: Experiment
    model: ModelInfo
    job_id: str
    pair: int
    place: int
    name: str
    origin: float
    log: Path
    model_dir: Path | None
    deployed: DeployedTarget | None = None

    def run(self) -> list[Row]:
        """Do it: a row per request, in the order of tasks.

        Raises:
            StackError: the instance does not start.
        """
        with self._instance() as fresh:
            rows = [*self._first(fresh), *self._warm(fresh)]
            records = _records(fresh, self.job_id)
        return [_with_record(row, records.get(row.task)) for row in rows]

    def _instance(self) -> AbstractContextManager[Fresh]:
        experiment = self.experiment
        if self.deployed and experiment.deployed:
            worker = Worker(self.deployed.target, self.deployed.url)
            return nullcontext(Fresh(worker, experiment.deployed.store, None, self.deployed.headers))
        return fresh_instance(experiment.targets[self.name], experiment.pinned, self.log, self.model_dir)

    def _first(self, fresh: Fresh) -> Iterator[Row]:
        sender = self._sender(fresh)
        for task in range(self.experiment.pinned.slots):
            yield self._row(sender, task, "first" if self.deployed else "cold", fresh)
        sender.close()

    def _warm(self, fresh: Fresh) -> list[Row]:
        first, users = self.experiment.pinned.slots, self.experiment.trials.users
        # Each user has a fixed share, so that a slow answer changes nobody's tasks.
        shares = [range(first + user, self.experiment.tasks, users) for user in range(users)]
        if users == 1:
            return self._share(fresh, shares[0], Event())
        stop = Event()
        with ThreadPoolExecutor(users) as pool:
            try:
                done = list(pool.map(lambda share: self._share(fresh, share, stop), shares))
            finally:
                stop.set()
        return sorted((row for share in done for row in share), key=lambda row: row.task)

    def _share(self, fresh: Fresh, tasks: range, stop: Event) -> list[Row]:
        sender = self._sender(fresh)
        rows = [self._row(sender, task, "warm", fresh) for task in tasks if not stop.is_set()]
        sender.close()
        return rows

    def _sender(self, fresh: Fresh) -> Sender:
        target, experiment = self.experiment.targets[self.name], self.experiment
        images, seed = experiment.pinned.images, experiment.trials.image_seed
        pushes = Pushes(self.job_id, self.model, target, images, seed)
        injection = experiment.injection(self.name)
        return Sender(fresh.worker.url, pushes, injection, experiment.trials.timeout_s, fresh.headers)

    def _row(self, sender: Sender, task: int, phase: Phase | Literal["first"], fresh: Fresh) -> Row:
        at_s = time.perf_counter() - self.origin
        times, before_s, after_s = sender.send(task)
        first = times.first_byte_s
        answered = bool(times.status)
        return Row(
            pair=self.pair,
            place=self.place,
            name=self.name,
            phase=phase,
            task=task,
            at_s=at_s,
            status=times.status,
            response_s=before_s + times.response_s + after_s if answered else None,
            first_byte_s=None if first is None else before_s + first + after_s,
            connect_s=times.connect_s,
            injected_s=before_s + after_s,
            start_s=fresh.start_s,
            error=times.error,
        )


class Sender:
    """Sends one push after the other, and waits where a delay is injected.

    Args:
        url: of the worker.
        pushes: the bodies.
        injection: the delay.
        timeout_s: of a request.
        headers: that let a request in.
    """

    def __init__(
        self,
        url: str,
        pushes: Pushes,
        injection: Injection,
        timeout_s: float,
        headers: Callable[[], list[str]] = list,
    ) -> None:
        self._transfer = Transfer(url, timeout_s)
        self._pushes, self._injection, self._headers = pushes, injection, headers

    def send(self, task: int) -> tuple[Times, float, float]:
        """Send a task: libcurl's times, and the waits that were injected before and after."""
        body, headers = self._pushes.body(task, 1), self._headers()
        before_s = _wait(self._injection.ms / 1000)
        times = self._transfer.send(body, headers)
        return times, before_s, _wait(times.response_s * self._injection.percent / 100)

    def close(self) -> None:
        """Free the connection."""
        self._transfer.close()


def _wait(seconds: float) -> float:
    """Sleep; the time that it really took."""
    if not seconds:
        return 0.0
    begun = time.perf_counter()
    time.sleep(seconds)
    return time.perf_counter() - begun


def _records(fresh: Fresh, job_id: str) -> dict[int, StoredRecord]:
    if not fresh.store_url:
        return {}
    try:
        records = iter_records(open_store(fresh.store_url), job_id, fresh.worker.target)
        return {stored.record.task_index: stored for stored in records}
    except ResultsError:
        return {}  # generated nothing, as the rows' statuses say; or out of reach, which the report counts


def _with_record(row: Row, stored: StoredRecord | None) -> Row:
    if stored is None:
        return row
    record = stored.record
    return replace(
        row,
        cold=int(record.cold_start),
        process_s=record.process_s,
        cpu_s_per_image=cpu_s_per_image(record),
        rss_peak_bytes=record.rss_peak_bytes,
        instance=record.instance_id,
        revision=record.worker_revision,
        preloaded=int(record.preloaded),
        **{
            name: getattr(record, name)
            for name in ("engine", "precision", "threads", "batch_size", "isa", "cpu_model")
        },
    )
