"""Ends the stack's processes when their supervisor is killed and can no longer do so itself.

It runs as a process of its own, in a session of its own. The supervisor writes "+PGID" for each process group
that it starts and "-PGID" for each that has ended; when the pipe breaks, it ends what is left. A
parent-death signal would reach only the direct children, on Linux only, and not the workers that they fork.

Run as a script, on the standard library alone, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import BinaryIO, Final

GRACE_S: Final = 3.0
POLL_S: Final = 0.05


class OrphanReaper:
    """The supervisor's side: starts the process and tells it what to guard."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", os.path.abspath(__file__)],  # noqa: PTH100 (no pathlib: it starts fast)
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def guard(self, group: int) -> None:
        """End this process group if the supervisor dies."""
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """This process group has ended; after `close` that is no news."""
        with suppress(ValueError):  # of a closed pipe
            self._tell(f"-{group}\n")

    def close(self) -> None:
        """The supervisor ends; whatever is still guarded is ended too."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        # Someone may have killed the orphan reaper: the stack runs on without it.
        with suppress(BrokenPipeError):
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


def watch(orders: BinaryIO) -> set[int]:
    """Read orders until the supervisor is gone; return the groups that are left."""
    groups: set[int] = set()
    for line in orders:
        change = groups.add if line.startswith(b"+") else groups.discard
        change(int(line[1:]))
    return groups


def end(groups: set[int]) -> None:
    """SIGTERM, a moment of grace, SIGKILL."""
    send(groups, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while send(groups, 0) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    send(groups, signal.SIGKILL)


def send(groups: set[int], number: int) -> bool:
    """Signal every group; return True if any was still there."""
    found = False
    for group in groups:
        try:
            os.killpg(group, number)
            found = True
        except (ProcessLookupError, PermissionError):
            continue
    return found


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    end(watch(sys.stdin.buffer))
