"""Files that appear whole, durable and once: made in their folder, given their name by a link, flushed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_VANISHED: Final = frozenset({errno.ENOENT, errno.ESTALE})
_CREATE_ATTEMPTS: Final = 100

MadeT = TypeVar("MadeT")


def place(temp: Path, path: Path) -> None:
    """Give the finished file its name. Raises FileExistsError if the name is taken."""
    in_folder(path, lambda: _link(temp, path))
    # Somebody may have deleted the object already, and its folder with it.
    with suppress(FileNotFoundError):
        _sync_folder(path.parent)


def in_folder(path: Path, make: Callable[[], MadeT]) -> MadeT:
    """Make a file in its folder, which other processes' deletes may remove as often as it is made."""
    for _ in range(_CREATE_ATTEMPTS):
        try:
            _make_folder(path.parent)
            return make()
        except OSError as error:
            if error.errno not in _VANISHED:
                raise
            vanished = error
    raise vanished


def _link(temp: Path, path: Path) -> None:
    try:
        path.hardlink_to(temp)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _claim_and_replace(temp, path)


def _claim_and_replace(temp: Path, path: Path) -> None:
    """Without hard links: claim the name exclusively, then move the finished file over the claim.

    In the moment between the two a reader meets an empty object, and a crash leaves one.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        temp.replace(path)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, each of them durable."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make_folder(folder.parent)
    # If something is there, what is made in it finds out what: by now it may be gone, or be no folder.
    with suppress(FileExistsError):
        folder.mkdir()
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems (network shares, FUSE) cannot flush a folder.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)
