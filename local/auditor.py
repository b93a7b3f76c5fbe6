"""Publishes again, in the background, what the death of a broker or a deliverer has lost.

kombu takes a message from the broker before it notes who has it: docs/adr/0006-lost-messages.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from pipeline.errors import PipelineError
from pipeline.settings import Settings
from results.errors import ResultsError
from results.stores.open import open_store

DELAY_S: Final = 3.0
"""From the request to the first look: the broker is up again by then, and who delivers has connected."""
RETRY_S: Final = 15.0
CLOSE_LIMIT_S: Final = 5.0


class Auditor:
    """Audits the broker when asked to, in a thread of its own that starts at the first request.

    Args:
        settings: of the stack, with its store and its broker.
        note: takes a line for the user, from any thread.
    """

    def __init__(self, settings: Settings, note: Callable[[str], None]) -> None:
        self._settings = settings
        self._note = note
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
        delay_s = DELAY_S
        while self._wanted.wait() and not self._closed.wait(delay_s):
            self._wanted.clear()
            delay_s = DELAY_S
            if not self._audit():
                delay_s = RETRY_S
                self._wanted.set()

    def _audit(self) -> bool:
        """Audit once; return False if that was not possible now."""
        # celery comes with it, which a stack that nothing happens to does without.
        from producer.audit import LOOK_PAUSE_S
        from producer.recovery import recover_lost

        try:
            store = open_store(self._settings.require_store_url())
            found = recover_lost(store, self._settings, lambda: self._closed.wait(LOOK_PAUSE_S))
        except (PipelineError, ResultsError) as error:
            if not self._closed.is_set():
                self._note(f"no search for lost tasks, again in {RETRY_S:.0f} s: {error}")
            return False
        for line in found.as_lines():
            self._note(line)
        return True
