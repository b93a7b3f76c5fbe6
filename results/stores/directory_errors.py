"""What an operating-system error means for a store in a directory."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from results.errors import StoreError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_WRONG_PLACE: Final = frozenset(
    {errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EFBIG, errno.EXDEV}
)


def writing_error(error: OSError, name: str, root: Path) -> StoreError:
    """Say why an object could not be written, and whether the same call may succeed later.

    Args:
        error: what the operating system said.
        name: the object's name.
        root: the store's folder.
    """
    if error.errno in _FULL:
        # It takes a person to end this: called transient, it would be delivered again for ever.
        return StoreError(
            f"disk full: cannot write {name} to the results folder {root}; free some space there",
            transient=False,
        )
    if error.errno in _FORBIDDEN:
        return StoreError(
            f"results folder {root} is not writable: {_reason(error)}; "
            "fix its owner and permissions, or choose another with --store or DIPTYCH_STORE_URL",
            transient=False,
        )
    return _other("write", error, name, root)


def reading_error(error: OSError, name: str, root: Path) -> StoreError:
    """Say why an object or folder could not be read, and whether the same call may succeed later."""
    if error.errno in _FORBIDDEN:
        return StoreError(
            f"results folder {root} is not readable: {_reason(error)}; fix its owner and permissions",
            transient=False,
        )
    return _other("read", error, name, root)


def refuse_links(root: Path, name: str) -> None:
    """Check that no folder on the way to an object is a symbolic link: it may lead anywhere, or in a circle.

    Args:
        root: the store's folder, which may be a link itself.
        name: the object's name, or a prefix.
    Raises:
        StoreError: one is.
    """
    path = str(root)
    for part in name.split("/")[:-1]:
        path = f"{path}/{part}"
        if os.path.islink(path):  # noqa: PTH114 (called for each object: no Path is made)
            raise StoreError(
                f"{path} is a symbolic link: links inside a store are not followed", transient=False
            )


def _other(verb: str, error: OSError, name: str, root: Path) -> StoreError:
    """Anything else is taken for a passing trouble, unless the path itself is at fault."""
    return StoreError(
        f"cannot {verb} {name or 'the top'} in the results folder {root}: {_reason(error)}",
        transient=error.errno not in _WRONG_PLACE,
    )


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
