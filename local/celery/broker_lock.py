"""Becomes another program, with a lock on a file that only the end of that program gives up.

The broker holds the lock itself: the stack's own dies with the supervisor, whose broker may live on. Run as
a script, on the standard library alone, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path
from typing import Final

WAIT_S: Final = 5.0
"""The orphan reaper of a stack that was killed takes up to 3 s to end its broker."""
POLL_S: Final = 0.05


def locked_argv(lock: Path) -> tuple[str, ...]:
    """The beginning of a command line: what follows runs if nothing else holds the lock."""
    return (sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(lock))


def main(lock: str, argv: list[str]) -> None:
    """Take the lock and become the program, or say who holds it."""
    file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                holder = os.read(file, 20).decode().strip() or "unknown"
                sys.exit(
                    f"the broker of an earlier stack (process {holder}) still uses {os.path.dirname(lock)}:"  # noqa: PTH120
                    f" end it with `kill {holder}`, then start again"
                )
            time.sleep(POLL_S)
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    os.set_inheritable(file, True)
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
