"""A diffusers pipeline's folder, before the libraries are imported: that takes seconds."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from model.errors import CheckpointError, EngineError

INDEX: Final = "model_index.json"
LIBRARIES: Final = ("diffusers", "torch", "transformers")


def check_installed() -> None:
    """Raise EngineError unless the libraries are installed."""
    for library in LIBRARIES:
        if find_spec(library) is None:
            raise not_installed(f"{library} is missing")


def not_installed(why: object) -> EngineError:
    """The error that names the extra."""
    return EngineError(f"diffusers models need the extra: pip install -e '.[diffusers]' ({why})")


def read_index(folder: Path) -> dict[str, Any]:
    """Read a pipeline's `model_index.json`. Raises CheckpointError if it is missing or invalid."""
    try:
        index = json.loads((folder / INDEX).read_bytes())
    except OSError:
        raise CheckpointError(f"{folder}: no {INDEX}: not the folder of a diffusers pipeline") from None
    except (ValueError, RecursionError):
        raise CheckpointError(f"{folder}: {INDEX} is damaged") from None
    if not isinstance(index, dict) or not isinstance(index.get("_class_name"), str):
        raise CheckpointError(f"{folder}: {INDEX} names no pipeline of the diffusers library")
    return index
