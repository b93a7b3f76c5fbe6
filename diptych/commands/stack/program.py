"""The name of the program as the user can type it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def program() -> str:
    """Return `diptych` if the shell finds it, else its relative path."""
    if shutil.which("diptych"):
        return "diptych"
    return os.path.relpath(Path(sys.executable).parent / "diptych")
