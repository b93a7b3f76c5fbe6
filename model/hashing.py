"""Hash the files of a model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from model.errors import CheckpointError
from model.registry import file_digest

MAX_FILES: Final = 10_000


def hash_tree(source: Path) -> dict[str, str]:
    """Hash a file, or every file of a folder, without hidden ones (.git, .cache).

    Args:
        source: the file or folder.
    Returns:
        SHA-256 (hex) by path below the folder, with "/"; by name, if `source` is a file.
    Raises:
        CheckpointError: the source is missing, unreadable or empty, or has more than MAX_FILES files.
    """
    files = (
        {source.name: source}
        if source.is_file()
        else {_relative(path, source): path for path in _files_below(source)}
    )
    if not files:
        raise CheckpointError(f"{source}: the file or folder is missing or empty")
    return {name: file_digest(path).removeprefix("sha256:") for name, path in sorted(files.items())}


def _files_below(folder: Path) -> Iterator[Path]:
    count = 0
    # A snapshot of the hub is a folder of links to files elsewhere: they are followed.
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        for name in sorted(names):
            if name.startswith("."):
                continue
            count += 1
            if count > MAX_FILES:
                raise CheckpointError(f"{folder}: more than {MAX_FILES:,} files: not the folder of a model")
            yield Path(here, name)


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
