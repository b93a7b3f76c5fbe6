"""The poller of one job, whose news any number of streams pass on."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Final
from uuid import uuid4

from pipeline.protocol.clock import rfc3339, utc_now
from producer.watch import SCAN_SHARE
from results.documents import Manifest
from results.errors import ResultsError
from results.stores.base import Store
from webpage.events.job_progress import JobProgress

POLL_LOCAL_S: Final = 0.2
POLL_REMOTE_S: Final = 1.0
"""A listing of a bucket costs money: 5 dollars a million."""
RETRY_S: Final = 5.0
LINGER_S: Final = 15.0
"""A poller without listeners goes on for so long: a page that is loaded again finds it warm."""
KEEP_S: Final = 5.0
"""An ended job is not looked at again for so long. `diptych retry` may revive it."""


class JobPoller:
    """Looks at a job until it has ended, or nobody listens.

    Args:
        store: where it is.
        manifest: the job's.
    """

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self.job_id = manifest.job_id
        self.epoch = uuid4().hex[:8]
        """Tells this poller's rows from those of an earlier one."""
        self.news = threading.Condition()
        self.version = 0
        """Goes up with each change; 0 until the first look."""
        self.over = False
        """The poller has stopped: there will be no more versions."""
        self._progress = JobProgress(store, manifest)
        self._poll_s = POLL_LOCAL_S if store.is_local else POLL_REMOTE_S
        self._state: dict[str, Any] = {}
        self._state_json = "{}"
        self._row_count = 0
        self._listeners = 0
        self._idle_since = time.monotonic()
        self._over_since = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"poller {self.job_id}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking, soon; for the end of the process."""
        self._stop.set()

    def join(self) -> bool:
        """Count a listener in; False if it is too late: make another poller."""
        with self.news:
            if self.over and (self.is_old or not self._state.get("ended")):
                return False
            self._listeners += 1
            return True

    def leave(self) -> None:
        """Count a listener out."""
        with self.news:
            self._listeners -= 1
            self._idle_since = time.monotonic()

    def wait(self, seen_version: int, limit_s: float) -> int:
        """Wait for a version after `seen_version`, or the end; return the present one."""
        with self.news:
            self.news.wait_for(lambda: self.version > seen_version or self.over, limit_s)
            return self.version

    def message(self, first_row: int) -> tuple[str, int]:
        """The present state and the rows from `first_row` on, as JSON, and the number of the next row."""
        with self.news:
            state, count = self._state_json, self._row_count
        rows = json.dumps(self._progress.rows[first_row:count], separators=(",", ":"))
        return f'{{"state":{state},"first_row":{first_row},"rows":{rows}}}', count

    @property
    def is_old(self) -> bool:
        """It stopped looking a while ago."""
        return self.over and time.monotonic() - self._over_since > KEEP_S

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                started = time.monotonic()
                pause = self._look()
                if self._progress.ended or self._is_idle():
                    break
                took = time.monotonic() - started
                self._stop.wait(max(pause, took / SCAN_SHARE - took))
        finally:
            with self.news:
                self.over = True
                self._over_since = time.monotonic()
                self.news.notify_all()

    def _look(self) -> float:
        """Look once and publish what is new. Returns how long to wait before the next look, in seconds."""
        trouble, pause = "", self._poll_s
        try:
            self._progress.look()
            state = self._progress.view()
        except ResultsError as error:
            state, trouble, pause = self._state, str(error), RETRY_S
        state = {**state, "trouble": trouble}
        if state != self._state or len(self._progress.rows) > self._row_count or not self.version:
            self._publish(state)
        return pause

    def _publish(self, state: dict[str, Any]) -> None:
        stamped = json.dumps({**state, "now": rfc3339(utc_now())}, separators=(",", ":"))
        with self.news:
            self._state, self._state_json = state, stamped
            self._row_count = len(self._progress.rows)
            self.version += 1
            self.news.notify_all()

    def _is_idle(self) -> bool:
        with self.news:
            return not self._listeners and time.monotonic() - self._idle_since > LINGER_S
