"""The page's own files: style sheets, scripts, icons. Read once, named by their common hash."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import Final

from results.targets import TARGET_INFO, target_css

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
    for name, content in sorted({**_read(), **_generated()}.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
        files[name] = Asset(_TYPES[PurePath(name).suffix], content, gzip.compress(content, 9, mtime=0))
    return Assets(digest.hexdigest()[:16], files)


def _read() -> dict[str, bytes]:
    paths = [path for path in FOLDER.rglob("*") if path.suffix in _TYPES]
    return {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in paths}


def _generated() -> dict[str, bytes]:
    """What style sheets and scripts know of the targets."""
    table = json.dumps({name: asdict(info) for name, info in TARGET_INFO.items()}, indent=2)
    return {
        "css/targets.css": target_css().encode(),
        "js/targets.js": f"export const TARGETS = {table};\n".encode(),
    }
