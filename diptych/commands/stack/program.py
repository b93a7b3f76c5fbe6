"""How this user can type our name."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def program() -> str:
    """How this user can type our name: `diptych` if the shell finds it, else where it lies."""
    if shutil.which("diptych"):
        return "diptych"
    return os.path.relpath(Path(sys.executable).parent / "diptych")
