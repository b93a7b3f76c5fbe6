"""`manifest.json`: what a folder of rendered faces holds, how it was made, under which licence."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from model.dataset.assets import ANNY_VERSION
from model.dataset.errors import FacesError
from model.seeds import MAX_SEED

RENDERER_VERSION = "1"
"""Pictures of one seed may differ between versions, never within one on one machine."""

SIZES = (32, 64, 128, 256, 512)
MAX_COUNT = 10_000_000
NAME = "manifest.json"
SCHEMA = "diptych.faces/1"

ABOUT = {
    "description": "Synthetic, 3D-rendered faces. No real person is shown, no photograph was used.",
    "licence": "CC0-1.0",
    "source": f"MakeHuman base mesh and targets, Face Units (both CC0-1.0), from anny {ANNY_VERSION}",
}


@dataclass(frozen=True)
class FacesConfig:
    """What decides the pixels of a set of faces, and how many there are.

    Attributes:
        count: number of pictures, 1..MAX_COUNT.
        size: side in pixels, one of SIZES.
        seed: of the set; picture k of seed s is always the same face.
    """

    count: int
    size: int
    seed: int

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_COUNT:
            raise FacesError(f"count {self.count} is outside 1..{MAX_COUNT:,}")
        if self.size not in SIZES:
            raise FacesError(f"size {self.size} is none of {', '.join(map(str, SIZES))}")
        if not 0 <= self.seed < MAX_SEED:
            raise FacesError(f"seed {self.seed} is outside 0..2**63-1")


def open_folder(folder: Path, config: FacesConfig) -> FacesConfig:
    """Make the folder and its manifest, or check that the folder's manifest goes with the request.

    Args:
        folder: where the pictures go.
        config: what is asked for.
    Returns:
        The set as the manifest now describes it: a larger count extends a set, a smaller one changes nothing.
    Raises:
        FacesError: the folder holds another set, something else, or cannot be written.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            stored = _read(path)
            _compare(path, stored, config)
            config = FacesConfig(max(stored.count, config.count), config.size, config.seed)
        elif any(folder.iterdir()):
            raise FacesError(
                f"{folder} is not empty and has no {NAME}: choose a folder of its own for the faces"
            )
        write_atomically(path, (json.dumps(_document(config), indent=2) + "\n").encode())
    except OSError as error:
        raise FacesError(f"cannot write to {folder}: {error.strerror or error}") from error
    return config


def write_atomically(path: Path, content: bytes) -> None:
    """Write a whole file or none: a temporary file beside it takes its name at the end."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _document(config: FacesConfig) -> dict[str, object]:
    made = {"schema": SCHEMA, "renderer_version": RENDERER_VERSION, **asdict(config)}
    return {**made, "files": "{index:08d}.png", **ABOUT}


def _read(path: Path) -> FacesConfig:
    try:
        document = json.loads(path.read_bytes())
        if document["schema"] != SCHEMA:
            raise FacesError(
                f"{path} is of schema {document['schema']!r}, not {SCHEMA}: choose another folder"
            )
        if document["renderer_version"] != RENDERER_VERSION:
            raise FacesError(
                f"{path.parent} was rendered by version {document['renderer_version']}, this is version "
                f"{RENDERER_VERSION}: choose another folder"
            )
        return FacesConfig(document["count"], document["size"], document["seed"])
    except (ValueError, TypeError, KeyError) as error:
        raise FacesError(f"{path} is damaged or not of a set of faces: choose another folder") from error


def _compare(path: Path, stored: FacesConfig, asked: FacesConfig) -> None:
    for name in ("size", "seed"):
        if getattr(stored, name) != getattr(asked, name):
            raise FacesError(
                f"{path.parent} holds faces of {name} {getattr(stored, name)}, not {getattr(asked, name)}: "
                "choose another folder"
            )
