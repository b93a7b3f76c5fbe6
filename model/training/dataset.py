"""Training images: any folder of them, decoded once into a cache of uint8 pyramids."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from model.training.errors import DatasetError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm"})
ARRAY_SUFFIXES = frozenset({".npy", ".npz"})
LEFT_OUT_SHOWN = 5
INDEX = "index.json"
UNDECODABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    Image.DecompressionBombError,
)
"""What Pillow and numpy raise for damaged files of some ten formats."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images at one resolution, and smaller versions of them.

    Args:
        fingerprint: tells this set of files from any other.
        resolution: of the full images, in pixels.
        count: number of images.
        cache: folder that holds the decoded pyramid.
    """

    fingerprint: str
    resolution: int
    count: int
    cache: Path

    def at(self, resolution: int) -> NDArray[np.uint8]:
        """The images at one level of the pyramid, each level the 2x2 mean of the one above.

        Args:
            resolution: in pixels, a power of two of at most `self.resolution`.
        Returns:
            uint8 [count, resolution, resolution, 3], mapped from the cache.
        Raises:
            DatasetError: the cache cannot be written, or was damaged meanwhile.
        """
        path = _level(self.cache, resolution)
        if not _is_whole(path, self.count, resolution):
            if resolution >= self.resolution:
                raise DatasetError(f"{path}: is damaged or gone; the same command decodes the images again")
            above = self.at(resolution * 2)
            with _writing(self.cache), _new_file(path) as file:
                for start in range(0, self.count, 256):
                    file.write(_halve(above[start : start + 256]).tobytes())
        return np.memmap(path, dtype=np.uint8, mode="r", shape=(self.count, resolution, resolution, 3))


def open_dataset(source: Path, resolution: int, cache_root: Path) -> Dataset:
    """Find, check and decode the images; the second time they come from the cache.

    Images are turned upright, made RGB, cropped to their central square and scaled down.

    Args:
        source: a folder, at any depth, of images (CelebA's layout included) or of uint8 `.npy`/`.npz`
            arrays [N, H, W, 3]; or one such array file.
        resolution: final resolution in pixels, a power of two.
        cache_root: where decoded images may be kept.
    Raises:
        DatasetError: no images, all broken, an image smaller than the resolution, or the cache cannot be
            written.
    """
    files = _find(source)
    fingerprint = _fingerprint(source, files, resolution)
    cache = cache_root / fingerprint[:16]
    count = _count(cache, resolution)
    if count is None:
        with _writing(cache):
            cache.mkdir(parents=True, exist_ok=True)
            count = _decode(files, resolution, _level(cache, resolution))
            with _new_file(cache / INDEX) as file:
                file.write(json.dumps({"count": count, "resolution": resolution}).encode())
    return Dataset(fingerprint=fingerprint, resolution=resolution, count=count, cache=cache)


def _count(cache: Path, resolution: int) -> int | None:
    """How many images the cache holds, or None: not decoded yet, or damaged (a full disk, a crash)."""
    try:
        count = int(json.loads((cache / INDEX).read_bytes())["count"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return count if count > 0 and _is_whole(_level(cache, resolution), count, resolution) else None


def _level(cache: Path, resolution: int) -> Path:
    return cache / f"{resolution}.u8"


def _is_whole(path: Path, count: int, resolution: int) -> bool:
    return path.exists() and path.stat().st_size == count * resolution * resolution * 3


@contextmanager
def _writing(cache: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatasetError(f"{cache}: the decoded images cannot be kept there: {error.strerror}") from None


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears whole or not at all; another process may write the same one at the same time."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _find(source: Path) -> list[Path]:
    if not source.exists():
        raise DatasetError(f"{source}: no such file or folder")
    wanted = IMAGE_SUFFIXES | ARRAY_SUFFIXES
    found = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    files = [path for path in found if path.suffix.lower() in wanted and not path.name.startswith(".")]
    if not files:
        raise DatasetError(f"{source}: no images there (looked for {', '.join(sorted(wanted))})")
    return files


def _fingerprint(source: Path, files: Sequence[Path], resolution: int) -> str:
    root = source if source.is_dir() else source.parent
    digest = hashlib.sha256(f"{resolution}\n".encode())
    for path in files:
        status = path.stat()
        line = f"{path.relative_to(root)}\0{status.st_size}\0{status.st_mtime_ns}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))  # names need not be UTF-8
    return digest.hexdigest()


def _decode(files: Sequence[Path], resolution: int, target: Path) -> int:
    count = 0
    left_out: list[str] = []
    with _new_file(target) as out:
        for path in files:
            images = _read(path, resolution)
            before = count
            while True:
                try:
                    image = next(images, None)
                except UNDECODABLE as error:
                    left_out.append(path.name)
                    if len(left_out) <= LEFT_OUT_SHOWN:
                        part = f" from image {count - before} on" if count > before else ""
                        log.warning("%s left out%s, it cannot be decoded: %s", path, part, error)
                    break
                if image is None:
                    break
                # Outside of the try: a full disk is not a broken image.
                out.write(image.tobytes())
                count += 1
        if len(left_out) > LEFT_OUT_SHOWN:
            log.warning("%d files left out in all, they cannot be decoded", len(left_out))
        if not count:
            told = f"can be decoded, e.g. {left_out[0]}" if left_out else "holds an image"
            raise DatasetError(f"none of the {len(files)} image files {told}")
    return count


def _read(path: Path, resolution: int) -> Iterator[NDArray[np.uint8]]:
    if path.suffix.lower() in ARRAY_SUFFIXES:
        yield from _read_arrays(path, resolution)
        return
    try:
        with Image.open(path) as image:
            _refuse_small(path, image.width, image.height, resolution)
            yield np.asarray(_square(_to_rgb(ImageOps.exif_transpose(image)), resolution))
    except UnidentifiedImageError:
        raise ValueError("not an image") from None


def _read_arrays(path: Path, resolution: int) -> Iterator[NDArray[np.uint8]]:
    loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    # By what it is: numpy goes by the content, whatever the suffix.
    arrays = (loaded[name] for name in loaded.files) if isinstance(loaded, NpzFile) else iter([loaded])
    for array in arrays:
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3:
            raise ValueError(f"holds {array.dtype} {array.shape}, not uint8 [N, H, W, 3]")
        _refuse_small(path, array.shape[2], array.shape[1], resolution)
        for image in array:
            yield np.asarray(_square(Image.fromarray(image), resolution))


def _refuse_small(path: Path, width: int, height: int, resolution: int) -> None:
    if min(width, height) < resolution:
        raise DatasetError(
            f"{path}: {width}x{height} is smaller than the {resolution}x{resolution} to train at"
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16-bit greys: Pillow's own conversion clips them to white.
        grey = (np.asarray(image, dtype=np.uint32) >> 8).clip(0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.has_transparency_data:
        # What shows through is white, as on a page; dropping alpha would bring up hidden colours.
        page = Image.new("RGBA", image.size, "white")
        page.alpha_composite(image.convert("RGBA"))
        return page.convert("RGB")
    return image.convert("RGB")


def _square(image: Image.Image, resolution: int) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    if side == resolution:
        return image.crop(box)
    # A whole factor is an exact area mean; other factors need a filter.
    filtering = Image.Resampling.BOX if side % resolution == 0 else Image.Resampling.LANCZOS
    return image.resize((resolution, resolution), filtering, box=box)


def _halve(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    count, side = images.shape[0], images.shape[1] // 2
    sums = images.reshape(count, side, 2, side, 2, 3).astype(np.uint16).sum(axis=(2, 4))
    means: NDArray[np.uint8] = ((sums + 2) >> 2).astype(np.uint8)
    return means
