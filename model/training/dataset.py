"""Training images: any folder of them, decoded once into a cache of uint8 pyramids."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from model.training.errors import DatasetError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm"})
ARRAY_SUFFIXES = frozenset({".npy", ".npz"})
LEFT_OUT_SHOWN = 5

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
        """
        path = self.cache / f"{resolution}.u8"
        if not path.exists():
            above = self.at(resolution * 2)
            temporary = path.with_suffix(".part")
            with temporary.open("wb") as file:
                for start in range(0, self.count, 256):
                    file.write(_halve(above[start : start + 256]).tobytes())
            temporary.replace(path)
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
        DatasetError: no images, all broken, or an image smaller than the resolution.
    """
    files = _find(source)
    fingerprint = _fingerprint(source, files, resolution)
    cache = cache_root / fingerprint[:16]
    index = cache / "index.json"
    try:
        if not index.exists():
            cache.mkdir(parents=True, exist_ok=True)
            count = _decode(files, resolution, cache / f"{resolution}.u8")
            index.write_text(json.dumps({"count": count, "resolution": resolution}), encoding="utf-8")
        count = int(json.loads(index.read_text(encoding="utf-8"))["count"])
    except OSError as error:
        raise DatasetError(f"{cache}: the decoded images cannot be kept there: {error.strerror}") from None
    return Dataset(fingerprint=fingerprint, resolution=resolution, count=count, cache=cache)


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
        digest.update(f"{path.relative_to(root)}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _decode(files: Sequence[Path], resolution: int, target: Path) -> int:
    count = 0
    left_out: list[str] = []
    temporary = target.with_suffix(".part")
    with temporary.open("wb") as out:
        for path in files:
            try:
                for image in _read(path, resolution):
                    out.write(image.tobytes())
                    count += 1
            except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
                left_out.append(path.name)
                if len(left_out) <= LEFT_OUT_SHOWN:
                    log.warning("%s left out, it cannot be decoded: %s", path, error)
    if len(left_out) > LEFT_OUT_SHOWN:
        log.warning("%d files left out in all, they cannot be decoded", len(left_out))
    if not count:
        temporary.unlink()
        raise DatasetError(f"none of the {len(files)} image files can be decoded, e.g. {left_out[0]}")
    temporary.replace(target)
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
    arrays = [loaded[name] for name in loaded.files] if path.suffix.lower() == ".npz" else [loaded]
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
