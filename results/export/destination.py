"""Where an export goes: a file that is replaced when it is whole, or a device or pipe that is written to."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from results.export.samples import ExportError

_DESCRIPTORS: Final = ("/dev/fd/", "/proc/self/fd/")
_STANDARD: Final = frozenset({"/dev/stdout", "/dev/stderr"})


def is_stream(path: Path) -> bool:
    """Whether bytes written to `path` go to somebody else: a device, a pipe, a descriptor of this process.

    Raises:
        ExportError: it is neither that nor a place for a regular file, such as a socket or a block device.
        OSError: it cannot be looked at.
    """
    name = os.path.abspath(path)  # noqa: PTH100 (a link such as /dev/stdout must not be followed here)
    if name in _STANDARD or name.startswith(_DESCRIPTORS):
        return True
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return True
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return False
    raise ExportError(f"cannot write {path}: it is a socket or a block device; name a file, a pipe, or -")


def file_behind(path: Path) -> Path:
    """The file that a symbolic link leads to, so that the link stays; other paths as they are."""
    return path.resolve() if path.is_symlink() else path
