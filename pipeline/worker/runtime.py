"""Everything a serving process holds, built once, lazily, in the process that serves."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from model.errors import ModelError
from pipeline.config.settings import Settings
from pipeline.errors import CacheError
from pipeline.models.engine_cache import EngineCache, EngineLoader
from pipeline.models.fetch import ModelSource
from pipeline.telemetry.spans import Tracing
from pipeline.telemetry.tracing import open_tracing
from pipeline.worker.instance import this_instance
from pipeline.worker.shutdown import Shutdown
from results.errors import StoreError
from results.stores.base import Store
from results.stores.open import open_store
from results.targets import Target

IO_THREADS: Final = 8
"""Encoding and storing: mostly waiting for the store, so more threads than cores."""

_log = logging.getLogger(__name__)


class Runtime:
    """What `process_task` needs beside its task.

    One generation slot per process: an engine belongs to one thread at a time, and CPU seconds can only be
    told apart by process. A worker with N slots is N processes.

    Args:
        settings: the process's settings.
        target: who this worker is.
        shutdown: shared with the signal handler, which may be set up before this is built.
        store: the store; by default the one that the settings name.
        load_engine: loads an engine; by default the real one.
    Raises:
        SettingsError: no store is named, or tracing is asked for and not installed.
        StoreError: the store's URL is of no known form.
    """

    def __init__(
        self,
        settings: Settings,
        target: Target,
        *,
        shutdown: Shutdown | None = None,
        store: Store | None = None,
        load_engine: EngineLoader | None = None,
    ) -> None:
        self.settings = settings
        self.target: Target = target
        self.shutdown = shutdown or Shutdown(settings.drain_s)
        self.store = store or open_store(settings.require_store_url(), must_exist=settings.store_must_exist)
        self.engines = EngineCache(settings, load_engine, ModelSource(self.store, settings))
        self.instance = this_instance(settings)
        self.tracing: Tracing = open_tracing(settings, f"diptych-{target}")
        self.io = ThreadPoolExecutor(IO_THREADS, thread_name_prefix="store")
        self.slot = threading.Semaphore(1)
        self.preloaded = False
        self.jobs_seen: set[str] = set()
        """Jobs whose manifests were in the store: one that is not there any more was removed."""
        self._requests = 0
        self._tasks = 0
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Load the default model before the first task, if the settings ask for it.

        A checkpoint that cannot be loaded is logged and no more: the worker says that it is not ready, and
        each task that needs it is recorded as failed.
        """
        if not self.settings.preload:
            return
        try:
            self.engines.preload()
            self.preloaded = True
        except (ModelError, CacheError, StoreError) as error:
            _log.error("cannot preload %s: %s", self.settings.default_model, error)

    def count_request(self) -> int:
        """Count a delivery that is handled; return how many were before it.

        All count that this process did something for, also those that it had no image to make for (meant for
        another target, done already, cancelled): each has warmed the process. What it turned away at once,
        busy or stopping, does not.
        """
        with self._lock:
            prior, self._requests = self._requests, self._requests + 1
            return prior

    def count_task(self) -> int:
        """Count a task that has reached generating; return how many had before it (0: a cold start).

        Apart from `count_request`: the first task loads the model, however many deliveries were before it.
        """
        with self._lock:
            prior, self._tasks = self._tasks, self._tasks + 1
            return prior


class LazyRuntime:
    """Builds the runtime at the first use, once per process, behind a lock.

    Args:
        build: makes it; called again in a forked child, whose threads and clients are not its parent's.
    """

    def __init__(self, build: Callable[[], Runtime]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._built: Runtime | None = None
        self._pid = 0

    def get(self) -> Runtime:
        """Return this process's runtime. Raises what `Runtime` raises."""
        with self._lock:
            if self._built is None or self._pid != os.getpid():
                self._built = self._build()
                self._pid = os.getpid()
            return self._built
