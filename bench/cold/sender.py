"""Sends tasks to a deployed service, any number at once, and reads their records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from bench.cloud.targets import DeployedTarget
from bench.cold import sample
from bench.cold.sample import Asked, ColdStart
from bench.load.generator.pushes import Pushes
from bench.load.generator.transfer import Transfer
from results.errors import ResultsError
from results.records import StoredRecord, read_record
from results.stores.base import Store


class Sender:
    """Sends tasks of one job to one target, each on a connection of its own.

    Args:
        target: who.
        pushes: the bodies.
        store: where its records are.
        origin: what points in time count from (time.perf_counter).
        timeout_s: of a request.
    """

    def __init__(
        self, target: DeployedTarget, pushes: Pushes, store: Store, origin: float, timeout_s: float
    ) -> None:
        self._target, self._pushes, self._store = target, pushes, store
        self._origin, self._timeout_s = origin, timeout_s
        self._task = 0

    def send(self, repeat: int, position: int, asked: Asked, count: int) -> Sequence[ColdStart]:
        """Send so many tasks at once, and wait for all of them."""
        tasks = range(self._task, self._task + count)
        self._task += count
        starts = [ColdStart(repeat, position, self._target.target, asked, task) for task in tasks]
        with ThreadPoolExecutor(count) as pool:
            sent_at = list(pool.map(self._send, starts))
        for start, sent_at_s in zip(starts, sent_at, strict=True):
            self._read(start, sent_at_s)
        return starts

    def _send(self, start: ColdStart) -> float:
        """Send it; when that was, Unix time."""
        transfer = Transfer(self._target.url, self._timeout_s)
        body, headers = self._pushes.body(start.task, 1), self._target.headers()
        start.sent_s, sent_at_s = time.perf_counter() - self._origin, time.time()
        times = transfer.send(body, headers)
        start.error = times.error
        start.status = times.status
        if times.status:
            start.response_s, start.first_byte_s = times.response_s, times.first_byte_s
            start.connect_s = None if times.connect_s is None else times.connect_s + (times.tls_s or 0.0)
        transfer.close()
        return sent_at_s

    def _read(self, start: ColdStart, sent_at_s: float) -> None:
        if not 200 <= start.status < 300:
            start.error = start.error or f"answered with {start.status}"
            return
        try:
            stored = read_record(self._store, self._pushes.job_id, self._target.target, start.task)
        except ResultsError as error:
            start.error = f"answered, but no record can be read: {error}"
            return
        _take_record(start, stored, sent_at_s)
        start.outcome = "ok"


def _take_record(start: ColdStart, stored: StoredRecord, sent_at_s: float) -> None:
    """Take what the record of a request says that was sent at this Unix time."""
    record = stored.record

    def since_sent(moment: datetime) -> float:
        return moment.timestamp() - sent_at_s

    start.began_s = since_sent(record.instance_started_at)
    start.startup_s = (record.received_at - record.instance_started_at).total_seconds()
    start.record_s = since_sent(stored.created_at)
    start.take_durations(record)
    start.prior_requests = record.prior_requests
    start.instance, start.revision = record.instance_id, record.worker_revision
    if record.cold_start:
        start.phase = "cold" if start.began_s > -sample.READY_S else "ready"
    else:
        start.phase = "warm"
