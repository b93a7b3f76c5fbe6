"""The default folder of a user's own models."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def user_model_dir() -> Path | None:
    """The platform's folder for a user's data, e.g. ~/.local/share/diptych/models; it may not exist.

    Returns:
        The folder, or None for a user without a home (a container under an arbitrary user id).
    """
    try:
        if sys.platform == "darwin":
            base = Path.home() / "Library" / "Application Support"
        else:
            base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    except RuntimeError:
        return None
    return base / "diptych" / "models"
