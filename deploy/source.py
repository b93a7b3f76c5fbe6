"""The digest of the deployed sources, so that equal sources are built and deployed once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.errors import DeployError
from deploy.gcloud import ROOT
from model.registry import Registry

FILES: Final = ("Dockerfile", "constraints.txt", "pyproject.toml")
FOLDERS: Final = ("docker", "model", "pipeline", "results", "worker_container", "worker_function")
"""The sources of the two workers' images."""
DIGITS: Final = 12


def source_digest(root: Path = ROOT) -> str:
    """Compute the first digits of a SHA-256 over the names and contents of the sources.

    Raises:
        DeployError: this is not a checkout, so there are no sources to build from.
    """
    missing = [name for name in FILES if not (root / name).is_file()]
    if missing:
        raise DeployError(
            f"{root} has no {missing[0]}: deploy from a checkout, installed with `pip install -e .`"
        )
    total = hashlib.sha256()
    for path in _sources(root):
        name = path.relative_to(root).as_posix().encode()
        content = path.read_bytes()
        total.update(b"%d %s %d " % (len(name), name, len(content)))
        total.update(content)
    return total.hexdigest()[:DIGITS]


def check_model(name: str) -> None:
    """Raise DeployError unless a model's checkpoint is among the sources, and so in both images."""
    registry = Registry()
    if name not in registry.names():
        raise DeployError(
            f"bad --model {name[:80]!r}: only a model that is shipped in the images can be loaded at"
            f" start ({', '.join(registry.names())}); without --model, `diptych submit --model` uploads yours"
            " to the bucket, where the workers download it at its first task"
        )


def _sources(root: Path) -> Iterator[Path]:
    yield from (root / name for name in FILES)
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                yield path
