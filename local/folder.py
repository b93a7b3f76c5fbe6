"""The folder `.diptych`: what one stack keeps, and the lock that makes it one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

import psutil

from local.errors import StackError
from local.orphan_reaper import end
from pipeline.config.run_file import RUN_FOLDER, RunFile, find_run_file, run_file_path
from results.errors import StoreVanished
from results.file_lock import NoFileLocks, try_lock
from results.stores.open import open_store

LOCK_FILE: Final = "up.lock"
LOG_FILE: Final = "stack.log"
SERVICES_FILE: Final = "services"


class StackFolder:
    """The folder of a stack; it belongs to one running stack at a time.

    Args:
        parent: the folder in which the stack was started.
    Raises:
        StackError: a stack runs here already, or nothing can be written here.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self.root = parent / RUN_FOLDER
        self.log_file = self.root / LOG_FILE
        self.broker = self.root / "broker"
        self.gcs = self.root / "gcs"
        """What the storage server keeps, if the stack has one; made by who starts it."""
        self.work = self.root / "work"
        """Working folder of the services: an empty one, whose files cannot stand in for our packages."""
        try:
            for folder in (self.root, self.broker, self.work):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.root / LOCK_FILE).open("a+")
        except OSError as error:
            raise StackError(
                f"{self.root} cannot be written ({error.strerror}): start the stack in a folder of your own"
            ) from error
        _take(self._lock, self.root)
        self._services = self.root / SERVICES_FILE
        self.leftovers = _end_leftovers(self._services)
        """Processes of a stack before this one that were still there, and have been ended."""

    def note_service(self, pid: int) -> None:
        """Note the leader of a service's process group: if nobody ends it, the next stack here does."""
        with suppress(psutil.Error, OSError), self._services.open("a") as services:
            services.write(f"{pid} {psutil.Process(pid).create_time()!r}\n")

    def write_run_file(self, run_file: RunFile) -> None:
        """Say how commands find the stack, whole or not at all. It stays: its store is where results are."""
        path = run_file_path(self._parent)
        write_private(path, run_file.model_dump_json(indent=2) + "\n")

    def close(self) -> None:
        """Give the folder free."""
        self._lock.close()


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all; a writer that died leaves no trace."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with open(part, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    part.replace(path)


def check_store(url: str, parent: Path) -> None:
    """Check that a store can be written, and make its folder if it is new.

    Args:
        url: the store's.
        parent: the folder in which the stack is started.
    Raises:
        StackError: it is the last stack's, and has vanished since.
        StoreError: it cannot be written.
    """
    path = run_file_path(parent)
    last = find_run_file(parent) if path.is_file() else None
    try:
        open_store(url, must_exist=last is not None and last.store_url == url).check()
    except StoreVanished as error:
        raise StackError(f"{error}; to begin with an empty one, remove {path}") from error


def is_running(parent: Path) -> bool:
    """True if a stack that was started in `parent` runs now. A lock tells; a process id may be reused."""
    try:
        with (parent / RUN_FOLDER / LOCK_FILE).open("r+") as lock:
            return not try_lock(lock.fileno())
    except OSError:
        return False


def _end_leftovers(services: Path) -> int:
    """End what outlived its supervisor and its orphan reaper; whoever holds the folder's lock may."""
    groups = set()
    with suppress(FileNotFoundError):
        for line in services.read_text().splitlines():
            pid, _, created = line.partition(" ")
            # Process ids are used again. The last line of a writer that died may be cut short.
            with suppress(ValueError, psutil.Error):
                if psutil.Process(int(pid)).create_time() == float(created):
                    groups.add(int(pid))
    end(groups)
    services.unlink(missing_ok=True)
    return len(groups)


def _take(lock: TextIO, root: Path) -> None:
    try:
        taken = try_lock(lock.fileno())
    except NoFileLocks as error:
        lock.close()
        raise StackError(
            f"{root}: {error.strerror}, so two stacks could run in it at once: start the stack in a folder"
            " on a local disk; its results may be elsewhere (--store)"
        ) from error
    if taken:
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        return
    lock.seek(0)
    holder = lock.read(20).strip()
    lock.close()
    raise StackError(
        f"a stack is running in this folder already (process {holder or 'unknown'}, {root}):"
        " use it, or end it first"
    )
