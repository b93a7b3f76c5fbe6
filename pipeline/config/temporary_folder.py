"""A folder of our own among other users' temporary files."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def temporary_folder() -> Path:
    """Return the folder, made if need be: the same one for every process of this user.

    Raises:
        OSError: it cannot be made, or somebody else has made it: what lies in it could change at any time.
    """
    folder = Path(tempfile.gettempdir()) / f"diptych-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "belongs to somebody else", str(folder))
    return folder
