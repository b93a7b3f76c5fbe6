"""A folder of checkpoints named by digest, of bounded size, shared by any number of processes."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from model.errors import CheckpointError
from model.registry import SUFFIX, file_digest

LOCK_NAME: Final = ".lock"
PART_SUFFIX: Final = ".part"
STALE_PART_S: Final = 3600.0
"""Unfinished files of that age belong to a process that died."""


class CheckpointFolder:
    """Keeps checkpoints; the least recently used make room for the next.

    A file is written beside, then renamed: there is a whole one or none. A file's access time says when it
    was used last; it is set here, since file systems do not all keep it.

    Args:
        path: the folder; made at the first write, with its parents.
        capacity_bytes: most that its checkpoints take together.
    """

    def __init__(self, path: Path, capacity_bytes: int) -> None:
        self.path = path
        self._capacity_bytes = capacity_bytes

    def find(self, digest: str) -> Path | None:
        """Return the checkpoint of that digest, hashed before it is trusted; a damaged one is removed.

        Args:
            digest: "sha256:<hex>".
        """
        path = self._file(digest)
        try:
            sound = file_digest(path) == digest
        except CheckpointError:
            return None
        # A folder may be filled by the operator and mounted read-only: it serves all the same.
        with suppress(OSError):
            if not sound:
                path.unlink(missing_ok=True)
            else:
                os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
        return path if sound else None

    def obtain(self, digest: str, download: Callable[[], bytes]) -> Path:
        """Return the checkpoint of that digest, downloading it if it is not here.

        Of several processes one downloads and the others wait for it.

        Args:
            digest: "sha256:<hex>".
            download: returns the content, already checked.
        Raises:
            OSError: nothing can be written here; raised before anything is downloaded, if that can be told.
            Exception: whatever `download` raises.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with _locked(self.path / LOCK_NAME):
            found = self.find(digest)
            if found:
                return found
            content = download()
            self._make_room(len(content))
            return self._write(self._file(digest), content)

    def _file(self, digest: str) -> Path:
        return self.path / f"{digest.replace(':', '-')}{SUFFIX}"

    def _make_room(self, wanted_bytes: int) -> None:
        """Remove the least recently used checkpoints, and what dead processes left unfinished."""
        for part in self.path.glob(f".*{PART_SUFFIX}"):
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < time.time() - STALE_PART_S:
                    part.unlink()
        kept = [(path.stat(), path) for path in self.path.glob(f"sha256-*{SUFFIX}")]
        used_bytes = sum(status.st_size for status, _ in kept)
        for status, path in sorted(kept, key=lambda entry: entry[0].st_atime_ns):
            if used_bytes + wanted_bytes <= self._capacity_bytes:
                return
            path.unlink(missing_ok=True)
            used_bytes -= status.st_size

    def _write(self, path: Path, content: bytes) -> Path:
        with tempfile.NamedTemporaryFile(dir=self.path, prefix=".", suffix=PART_SUFFIX, delete=False) as file:
            part = Path(file.name)
            try:
                file.write(content)
                file.flush()
                # Some file systems say only now that they are full.
                os.fsync(file.fileno())
                part.chmod(0o644)
                part.replace(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        return path


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, which ends with the process. Raises OSError if the file cannot be made."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        # Where a file system has no locks, several may download: the rename keeps that harmless.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
