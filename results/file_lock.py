"""Locks on files, which end with the process that holds them; and file systems that have none."""

from __future__ import annotations

import errno
import fcntl
from typing import Final

_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})


class NoFileLocks(OSError):
    """The file system has no locks, as some network shares: who else uses a file cannot be told."""


def try_lock(descriptor: int) -> bool:
    """Take an exclusive lock on an open file now; False if another process holds it.

    Raises:
        NoFileLocks: there are none here.
        OSError: anything else.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise NoFileLocks(error.errno, "its file system has no file locks") from error
        raise
    return True
