"""The page's own files: style sheets, scripts, icons. Read once, named by their common hash."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "static"

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file.

    Args:
        content: as it is.
        packed: gzipped.
    """

    content_type: str
    content: bytes
    packed: bytes


@dataclass(frozen=True, slots=True)
class Assets:
    """All files, by their path below the folder.

    Args:
        digest: of all of them: part of their addresses, so that browsers may keep them for ever.
    """

    digest: str
    files: dict[str, Asset]


@cache
def assets() -> Assets:
    """Read the files of kinds that are served; there are no others to be had, whatever a path says."""
    digest, files = hashlib.sha256(), {}
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in _TYPES:
            name, content = path.relative_to(FOLDER).as_posix(), path.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
            files[name] = Asset(_TYPES[path.suffix], content, gzip.compress(content, 9, mtime=0))
    return Assets(digest.hexdigest()[:16], files)
