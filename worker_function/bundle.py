"""Stages the folder that a deploy of the function uploads: `python -m worker_function.bundle build/function`.

Only one folder is uploaded, so everything lies in it: main.py, pinned requirements.txt, our own packages and
the checkpoints. Neither `.` nor a wheel in requirements.txt would do: the buildpack caches on its text.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from pipeline.version import version

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("pipeline", "model", "results")
LEFT_OUT: Final = ("training", "dataset", "__pycache__", "*.pyc")
"""Training and its data need torch; the function serves."""


class BundleError(Exception):
    """The bundle cannot be made; the text says why and what to do."""


def stage(folder: Path, constraints: Path, *, tracing: bool = False) -> None:
    """Make the bundle, in place of whatever bundle was there.

    Args:
        folder: where to; must be absent, empty or an earlier bundle.
        constraints: the versions to pin, one `name==version` a line.
        tracing: with what DIPTYCH_TRACING=otlp needs.
    Raises:
        BundleError: the folder holds something else, or a version is not pinned.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "main.py").is_file():
        raise BundleError(f"{folder} holds something that is no bundle: name another folder")
    lists = ("requirements.txt", *(["requirements-tracing.txt"] if tracing else []))
    requirements = pinned([ROOT / "worker_function" / name for name in lists], constraints)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy2(ROOT / "worker_function" / "main.py", folder / "main.py")
    (folder / "requirements.txt").write_text("\n".join(requirements) + "\n")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns(*LEFT_OUT))
    # The version, where `importlib.metadata` looks for it: records name the revision that made them.
    metadata = folder / f"diptych-{version()}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: diptych\nVersion: {version()}\n")


def pinned(requirements: Sequence[Path], constraints: Path) -> list[str]:
    """The requirements and all that they need, each pinned, as lines of a requirements.txt.

    Args:
        requirements: files of distribution names, one a line; they are installed here.
        constraints: `name==version` lines.
    Raises:
        BundleError: a file cannot be read, or a distribution is not installed or not pinned.
    """
    pins = {canonicalize_name(need.name): need for need in _read(constraints)}
    names = sorted(_closure(need for path in requirements for need in _read(path)))
    missing = [name for name in names if name not in pins]
    if missing:
        raise BundleError(f"{constraints} pins no version of {', '.join(missing)}")
    return [f"{name}{pins[name].specifier}" for name in names]


def _closure(wanted: Iterable[Requirement]) -> set[NormalizedName]:
    """Names of the distributions and all that they need here, extras and markers minded."""
    names: set[NormalizedName] = set()
    pending = [(need, "") for need in wanted]
    seen: set[tuple[str, str]] = set()
    while pending:
        need, extra = pending.pop()
        if need.marker and not need.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(need.name)
        for wanted_extra in ("", *need.extras):
            if (name, wanted_extra) not in seen:
                seen.add((name, wanted_extra))
                pending.extend((Requirement(line), wanted_extra) for line in _requires(name))
        names.add(name)
    return names


def _requires(name: str) -> list[str]:
    try:
        return importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise BundleError(f"{name} is not installed here: run `make install` first") from error


def _read(path: Path) -> list[Requirement]:
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    return [Requirement(line) for line in lines if line.strip() and not line.lstrip().startswith(("#", "-"))]


def main() -> None:
    """The command line: say what was staged, or in one line what is wrong."""
    parser = argparse.ArgumentParser(prog="function-bundle", description="Stage the function for a deploy.")
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "build" / "function")
    parser.add_argument("--constraints", type=Path, default=ROOT / "constraints.txt")
    parser.add_argument("--tracing", action="store_true", help="with what DIPTYCH_TRACING=otlp needs")
    chosen = parser.parse_args()
    try:
        stage(chosen.folder, chosen.constraints, tracing=chosen.tracing)
    except BundleError as error:
        sys.exit(f"error: {error}")
    print(f"{chosen.folder}: ready for `gcloud functions deploy --source`, entry point `handle`")


if __name__ == "__main__":
    main()
