"""Tells who watches a job what keeps it from going on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from producer.health.fault import Fault
from producer.watch import Display
from results.job_state import JobState

EVERY_S: Final = 2.0
"""Between two searches, and before the first: a job on which something ends has no fault that matters."""


class FaultNotices:
    """A display that writes what is wrong, once, while nothing ends.

    Args:
        inner: shows the state.
        find: looks for faults; called in a thread, so it must not touch the state that is shown.
        write: takes a line.
    """

    def __init__(
        self, inner: Display, find: Callable[[], Sequence[Fault]], write: Callable[[str], None]
    ) -> None:
        self._inner, self._find, self._write = inner, find, write
        self._told: list[str] = []
        self._found: list[str] | None = None
        self._thread: threading.Thread | None = None
        self._ended = -1
        self._quiet_since = self._looked_at = 0.0

    def __enter__(self) -> FaultNotices:
        """Begin."""
        self._inner.__enter__()
        return self

    def __exit__(self, *args: object) -> None:
        """End; a search under way is left to itself."""
        self._inner.__exit__(*args)

    def show(self, state: JobState) -> None:
        """See Display."""
        self._inner.show(state)
        ended, now = sum(part.counts().ended for part in state.targets.values()), time.monotonic()
        if ended != self._ended:
            self._ended, self._quiet_since = ended, now
        if self._thread and not self._thread.is_alive():
            self._thread = None
            self._tell()
        if not self._thread and now - max(self._quiet_since, self._looked_at) >= EVERY_S:
            self._looked_at = now
            self._thread = threading.Thread(target=self._look, name="faults", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        self._found = [str(fault) for fault in self._find()]

    def _tell(self) -> None:
        found, self._found = self._found or [], None
        for line in found:
            if line not in self._told:
                self._write(line)
        if self._told and not found:
            self._write("everything answers again")
        self._told = found
