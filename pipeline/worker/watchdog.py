"""Ends a process whose engine does not come back, and tells the next one.

No thread of Python's could: an engine that holds the interpreter's lock stops them all. faulthandler's
watchdog is a thread in C. When the time is over it writes where every thread stands and ends the process; the
server starts another one, and the queue delivers the task again. What was written lies in a file named after
the task, on this machine, so that whoever gets the task next knows of it, and a task that is stuck again and
again ends.
"""

from __future__ import annotations

import faulthandler
import hashlib
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pipeline.config.temporary_folder import temporary_folder
from pipeline.errors import PipelineError

GIVE_UP_AFTER: Final = 3
"""So often may a task's engine be stuck before the task is recorded as failed."""
STDERR: Final = 2
_STRIKE: Final = re.compile(rb"^Timeout \(", re.MULTILINE)
_OURS: Final = re.compile(r"[/\\]pipeline[/\\](?:worker[/\\]generation|models[/\\]engine_cache)\.py\"")
_FRAME: Final = re.compile(r'^ +(File ".*", line \d+ in .*)$', re.MULTILINE)

_log = logging.getLogger(__name__)


class EngineStuckError(PipelineError):
    """The engine did not come back, on several deliveries of one task. Permanent."""


class Watchdog:
    """One task's engine, watched in one process.

    Args:
        limit_s: how long the engine may take for one batch, or to load.
        task: what tells the task from all others, on any store.
    """

    def __init__(self, limit_s: float, task: str) -> None:
        self._limit_s = limit_s
        self._path: Path | None = None
        with suppress(OSError):
            # Without a folder of our own an engine is watched all the same; only nobody counts.
            name = hashlib.sha256(task.encode()).hexdigest()[:32]
            self._path = temporary_folder() / f"{name}.stuck"

    def check(self) -> None:
        """Look at what became of the task here before; log it.

        Raises:
            EngineStuckError: its engine was stuck GIVE_UP_AFTER times.
        """
        dump = self._read()
        strikes = len(_STRIKE.findall(dump))
        if not strikes:
            return
        text = (
            f"the engine was stuck for {self._limit_s:g} s, {strikes} of {GIVE_UP_AFTER} times, and its"
            f" process was ended{_place(dump)}: give a batch fewer images (DIPTYCH_BATCH_SIZE) or more time"
            " (DIPTYCH_DEADLINE_S), or mend the engine"
        )
        _log.error("%s", text)
        if strikes >= GIVE_UP_AFTER:
            raise EngineStuckError(text)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """End the process if the block takes longer than `limit_s`."""
        descriptor = self._open()
        try:
            file = STDERR if descriptor is None else descriptor
            faulthandler.dump_traceback_later(self._limit_s, exit=True, file=file)
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            if descriptor is not None:
                os.close(descriptor)

    def forget(self) -> None:
        """The task has ended: what became of it before is of no more use."""
        if self._path:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _open(self) -> int | None:
        if self._path is None:
            return None
        try:
            return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            return None

    def _read(self) -> bytes:
        try:
            return self._path.read_bytes() if self._path else b""
        except OSError:
            return b""


def _place(dump: bytes) -> str:
    """Where the generating thread stood the last time, if that can be told."""
    for thread in reversed(dump.decode("utf-8", "replace").split("\n\n")):
        frame = _FRAME.search(thread)
        if frame and _OURS.search(thread):
            return f" (in {frame[1]})"
    return ""
