"""Measured seconds per image on this machine: a small JSON file in the user's cache folder."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from model.checkpoint import write_atomically


@dataclass(frozen=True, slots=True)
class Calibration:
    """The measured speed of a model on this machine.

    Args:
        digest: "sha256:<hex>" of its checkpoint.
        seconds_per_image: median wall time of one image on one thread.
        engine: engine that was measured.
        precision: precision that was measured.
        isa: instruction set that was measured.
        images: images measured.
    """

    digest: str
    seconds_per_image: float
    engine: str
    precision: str
    isa: str
    images: int


def user_cache_folder() -> Path:
    """The user's cache folder for this program; a temporary one for a user without a home."""
    try:
        if sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        # An unknown user id without HOME, as in some containers.
        base = Path(tempfile.gettempdir()) / f"cache-{os.getuid()}"
    return base / "diptych"


def calibration_file() -> Path:
    """The file of calibrations."""
    return user_cache_folder() / "calibration.json"


def load_calibrations(path: Path) -> dict[str, Calibration]:
    """Read all calibrations, by digest. A missing or damaged file counts as empty: it is only a cache."""
    try:
        document = json.loads(path.read_bytes())
        entries = [Calibration(**entry) for entry in document["calibrations"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {entry.digest: entry for entry in entries if _is_usable(entry)}


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Add a calibration, replacing an older one of the same checkpoint.

    Raises:
        CheckpointError: the file cannot be written.
    """
    entries = load_calibrations(path) | {calibration.digest: calibration}
    document = {"calibrations": [asdict(entry) for entry in entries.values()]}
    write_atomically(path, json.dumps(document, indent=1).encode() + b"\n")


def _is_usable(entry: Calibration) -> bool:
    number = entry.seconds_per_image
    return isinstance(entry.digest, str) and isinstance(number, int | float) and 0 < number <= 3600
