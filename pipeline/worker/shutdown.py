"""The order to stop: SIGTERM has come, and the work in hand is finished soon or given back."""

from __future__ import annotations

import signal
import time


class Shutdown:
    """Set once, by a signal handler; looked at by the generating thread.

    One attribute, written once: safe inside a signal handler, where no lock may be taken.

    Args:
        grace_s: how long work may still take once the shutdown has started.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._started_s: float | None = None

    def start(self) -> None:
        """Start the shutdown. Further calls change nothing."""
        if self._started_s is None:
            self._started_s = time.monotonic()

    @property
    def started(self) -> bool:
        """True once the shutdown has started: no new task is taken."""
        return self._started_s is not None

    @property
    def left_s(self) -> float:
        """Seconds that work may still take; infinite before the shutdown, never negative."""
        if self._started_s is None:
            return float("inf")
        return max(0.0, self._started_s + self._grace_s - time.monotonic())


class ServerShutdown(Shutdown):
    """The shutdown of a process whose server keeps SIGTERM to itself: found out when somebody looks.

    functions-framework starts gunicorn without a place for hooks, and gunicorn sets its signal handlers after
    the last moment at which ours could run in the main thread. But its handler is a method of its worker, and
    the worker's `alive` says whether SIGTERM has come. Under another server this never starts.

    Args:
        grace_s: as for Shutdown; it runs from the first look after the signal, a batch later at most.
    """

    @property
    def started(self) -> bool:
        """See Shutdown."""
        self._look()
        return super().started

    @property
    def left_s(self) -> float:
        """See Shutdown."""
        self._look()
        return super().left_s

    def _look(self) -> None:
        worker = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
        if getattr(worker, "alive", True) is False:
            self.start()
