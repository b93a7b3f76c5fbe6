"""Publishes again what a Celery broker on Redis has lost: docs/adr/0006-lost-messages.md.

    python -m local.celery.recovery [FILE]

does so until SIGTERM, beside workers that no `diptych up` has started; FILE is touched after each audit.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local.lost_task_monitor import LostTaskMonitor
from pipeline.config.settings import Settings, load_settings
from pipeline.errors import SettingsError
from results.errors import StoreError
from results.stores.open import open_store

if TYPE_CHECKING:
    from producer.celery.lost_task_audit import LostTaskAudit

DELAY_S: Final = 3.0
"""From a death to the audit: by then the broker is up again, and who delivers has connected."""
EVERY_S: Final = 2.0
"""Between audits: a broker that is emptied knows nothing of the jobs submitted since the last one."""


class BrokerRecovery:
    """Audits a stack's broker; called again and again, by one thread.

    Args:
        settings: of the stack, with its store and its broker.
        alive: touched after each audit.
    """

    def __init__(self, settings: Settings, alive: Path | None = None) -> None:
        self._settings = settings
        self._alive = alive
        self._audit: LostTaskAudit | None = None

    def __call__(self, closed: threading.Event) -> list[str]:
        """See Backend.recover."""
        # celery comes with it, which nobody waits for here.
        from producer.celery.lost_task_audit import LostTaskAudit
        from producer.celery.lost_tasks import SCAN_PAUSE_S

        if self._audit is None:
            store = open_store(self._settings.require_store_url(), must_exist=True)
            self._audit = LostTaskAudit(store, self._settings, lambda: closed.wait(SCAN_PAUSE_S))
        lines = self._audit.run().as_lines()
        if self._alive:
            self._alive.touch()
        return lines


def main(arguments: list[str]) -> None:
    """Audit the broker of DIPTYCH_BROKER_URL until SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        settings = load_settings()
        settings.require_broker_url()
        open_store(settings.require_store_url())
    except (SettingsError, StoreError) as error:
        sys.exit(f"error: {error}")
    recovery = BrokerRecovery(settings, Path(arguments[0]) if arguments else None)
    monitor = LostTaskMonitor(recovery, lambda line: print(line, flush=True), DELAY_S, EVERY_S)
    monitor.request()
    ended.wait()
    monitor.close()


if __name__ == "__main__":
    main(sys.argv[1:])
