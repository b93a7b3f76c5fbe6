"""Looks in the background for lost tasks: at intervals, and soon after a process has died."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from pipeline.errors import PipelineError
from results.errors import ResultsError

RETRY_S: Final = 15.0
SHARE: Final = 0.1
"""Most of the time that goes into audits, where they come at intervals."""
CLOSE_LIMIT_S: Final = 5.0


class LostTaskMonitor:
    """Audits in a thread of its own, which starts at the first request.

    Args:
        recover: publishes lost tasks again (see Backend.recover).
        note: takes a line for the user, from any thread.
        delay_s: from a request to the audit.
        every_s: from the end of an audit to the next one that nobody asks for; None: there is none.
    """

    def __init__(
        self,
        recover: Callable[[threading.Event], Iterable[str]],
        note: Callable[[str], None],
        delay_s: float,
        every_s: float | None = None,
    ) -> None:
        self._recover = recover
        self._note = note
        self._delay_s = delay_s
        self._every_s = every_s
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def request(self) -> None:
        """Audit soon. Requests that come until then are one; one that comes later is another."""
        self._wanted.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lost-task-monitor", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End; an audit under way is given a moment."""
        self._closed.set()
        self._wanted.set()
        if self._thread:
            self._thread.join(CLOSE_LIMIT_S)

    def _run(self) -> None:
        pause_s = self._delay_s
        while not self._closed.wait(pause_s):
            self._wanted.clear()
            started = time.monotonic()
            if not self._audit():
                pause_s = RETRY_S
                continue
            idle_s = self._every_s and max(self._every_s, (time.monotonic() - started) / SHARE)
            pause_s = self._delay_s if self._wanted.wait(idle_s) else 0.0

    def _audit(self) -> bool:
        """Audit once; return False if that was not possible now."""
        try:
            for line in self._recover(self._closed):
                self._note(line)
        except (PipelineError, ResultsError) as error:
            if not self._closed.is_set():
                self._note(f"no search for lost tasks, again in {RETRY_S:.0f} s: {error}")
            return False
        return True
