"""Threads that submit jobs, so that a slow submission does not delay the next one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from queue import Empty, SimpleQueue
from typing import Final, Self

from bench.queue.follow import Flight
from bench.runs.wall_clock import ahead_s
from model.registry import Registry
from pipeline.config.settings import Settings
from producer.open_publisher import open_publisher
from producer.publisher import Publisher
from producer.submit import JobRequest, draft_job, submit
from results.stores.base import Store

THREADS: Final = 8


class Submitters:
    """Submits jobs in the background; a context.

    Args:
        settings: of the queue.
        store: of the jobs.
        registry: of models.
    """

    def __init__(self, settings: Settings, store: Store, registry: Registry) -> None:
        self._settings, self._store, self._registry = settings, store, registry
        self._origin = 0.0
        self._held = ExitStack()
        self._publishers: SimpleQueue[Publisher] = SimpleQueue()
        self._ended: SimpleQueue[Flight | Exception] = SimpleQueue()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="submit")
        self._sent = self._collected = 0

    def __enter__(self) -> Self:
        """Connect every thread's publisher.

        Raises:
            BrokerError: the broker cannot be reached.
        """
        with ExitStack() as held:
            for _ in range(THREADS):
                publisher = held.enter_context(closing(open_publisher(self._settings)))
                publisher.publish([])  # connects: the first job shall not pay for it
                self._publishers.put(publisher)
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._held.close()

    @property
    def busy(self) -> bool:
        """A job was sent that `flights` has not given yet."""
        return self._collected < self._sent

    def begin(self, origin: float) -> None:
        """The schedule begins at this moment of time.monotonic()."""
        self._origin = origin

    def send(self, job: int, due_s: float, request: JobRequest, *, warm_up: bool) -> None:
        """Submit a job now."""
        self._sent += 1
        self._pool.submit(self._submit, job, due_s, request, warm_up)

    def flights(self) -> Iterator[Flight]:
        """The jobs whose submission has ended since the last call.

        Raises:
            BrokerError, StoreError, …: a submission failed.
        """
        while True:
            try:
                ended = self._ended.get_nowait()
            except Empty:
                return
            self._collected += 1
            if isinstance(ended, Exception):
                raise ended
            yield ended

    def _submit(self, job: int, due_s: float, request: JobRequest, warm_up: bool) -> None:
        publisher = self._publishers.get()
        ahead, sent = ahead_s(), time.monotonic()
        try:
            draft = draft_job(request, self._registry)
            submit(self._store, publisher, draft)
        except Exception as error:  # noqa: BLE001 (raised again by `flights`, in the thread that waits)
            self._ended.put(error)
            return
        finally:
            self._publishers.put(publisher)
        head = {
            "job": job,
            "due_s": due_s,
            "sent_s": sent - self._origin,
            "lag_s": sent - self._origin - due_s,
            "submit_s": time.monotonic() - sent,
        }
        self._ended.put(Flight(draft.manifest, head, warm_up, ahead))
