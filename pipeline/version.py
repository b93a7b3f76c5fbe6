"""The version that is installed."""

from __future__ import annotations

import importlib.metadata


def version() -> str:
    """The installed version of Diptych; a function bundle carries it along."""
    try:
        return importlib.metadata.version("diptych")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
