"""Read the Hugging Face hub's cache on this machine. No network, no hub client."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
REVISION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def hub_cache() -> Path:
    """The cache folder of the hub's tools, from the variables that they use."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "huggingface" / "hub"


def resolve(name: str, revision: str) -> str | None:
    """Resolve a revision to its commit, from the cache on this machine.

    Args:
        name: "owner/name".
        revision: a branch, a tag or a commit.
    Returns:
        A commit, 40 hex digits; None if it is not in the cache.
    """
    if COMMIT.fullmatch(revision):
        return revision
    try:
        commit = (_folder(name) / "refs" / revision).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return commit if COMMIT.fullmatch(commit) else None


def snapshot(source: str) -> Path | None:
    """Find the folder of a downloaded model.

    Args:
        source: "owner/name@commit".
    Returns:
        The folder, or None if it is not on this machine.
    """
    name, _, commit = source.partition("@")
    if not NAME.fullmatch(name) or not COMMIT.fullmatch(commit):
        return None
    folder = _folder(name) / "snapshots" / commit
    return folder if folder.is_dir() else None


def _folder(name: str) -> Path:
    return hub_cache() / f"models--{name.replace('/', '--')}"
