"""Looks in the background for tasks that the death of a process has lost, whenever one has died."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

from pipeline.errors import PipelineError
from results.errors import ResultsError

RETRY_S: Final = 15.0
CLOSE_LIMIT_S: Final = 5.0


class LostTaskMonitor:
    """Audits when asked to, in a thread of its own that starts at the first request.

    Args:
        recover: publishes lost tasks again (see Backing.recover).
        note: takes a line for the user, from any thread.
        delay_s: from the request to the first look.
    """

    def __init__(
        self,
        recover: Callable[[threading.Event], Iterable[str]],
        note: Callable[[str], None],
        delay_s: float,
    ) -> None:
        self._recover = recover
        self._note = note
        self._delay_s = delay_s
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def request(self) -> None:
        """Audit soon. Requests that come until then are one; one that comes later is another."""
        self._wanted.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="auditor", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End; an audit under way is given a moment."""
        self._closed.set()
        self._wanted.set()
        if self._thread:
            self._thread.join(CLOSE_LIMIT_S)

    def _run(self) -> None:
        delay_s = self._delay_s
        while self._wanted.wait() and not self._closed.wait(delay_s):
            self._wanted.clear()
            delay_s = self._delay_s
            if not self._audit():
                delay_s = RETRY_S
                self._wanted.set()

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
