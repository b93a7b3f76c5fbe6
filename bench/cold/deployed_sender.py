"""Sends tasks to a deployed service, any number at once, and reads their records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pycurl

from bench.cloud.targets import DeployedTarget
from bench.cold.deployed_sample import Asked, DeployedStart
from bench.load.pushes import Pushes
from bench.load.transfer import Transfer
from results.errors import ResultsError
from results.records import read_record
from results.stores.base import Store

LARGEST_BURST: Final = 100


class DeployedSender:
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

    def send(self, repeat: int, position: int, asked: Asked, count: int) -> Sequence[DeployedStart]:
        """Send so many tasks at once, and wait for all of them."""
        tasks = range(self._task, self._task + count)
        self._task += count
        starts = [DeployedStart(repeat, position, self._target.target, asked, task) for task in tasks]
        with ThreadPoolExecutor(count) as pool:
            sent_at = list(pool.map(self._send, starts))
        for one, sent_at_s in zip(starts, sent_at, strict=True):
            self._read(one, sent_at_s)
        return starts

    def _send(self, one: DeployedStart) -> float:
        """Send it; when that was, Unix time."""
        transfer = Transfer(self._target.url, self._timeout_s)
        transfer.prepare(self._pushes.body(one.task, 1), self._target.headers())
        one.sent_s, sent_at_s = time.perf_counter() - self._origin, time.time()
        try:
            transfer.handle.perform()
        except pycurl.error as failure:
            one.error = str(failure.args[-1])
        times = transfer.times(one.error)
        one.status = times.status
        if times.status:
            one.response_s, one.first_byte_s = times.response_s, times.first_byte_s
            one.connect_s = None if times.connect_s is None else times.connect_s + (times.tls_s or 0.0)
        transfer.close()
        return sent_at_s

    def _read(self, one: DeployedStart, sent_at_s: float) -> None:
        if not 200 <= one.status < 300:
            one.error = one.error or f"answered with {one.status}"
            return
        try:
            stored = read_record(self._store, self._pushes.job_id, self._target.target, one.task)
        except ResultsError as error:
            one.error = f"answered, but no record can be read: {error}"
            return
        one.read(stored, sent_at_s)
        one.outcome = "ok"
