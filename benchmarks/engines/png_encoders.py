"""PNG encoders on the images that models make: milliseconds and bytes."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import mean

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from results.imaging.png import encode
from results.imaging.provenance import Provenance

Encoder = Callable[[NDArray[np.uint8]], bytes]
REPEATS = 5


@dataclass(frozen=True, slots=True)
class EncoderRow:
    """One encoder at one size.

    Args:
        image_ms: CPU time of an image, the best of some.
        mean_bytes: size of a PNG, our provenance chunk included where it is ours.
    """

    resolution: int
    encoder: str
    image_ms: float
    mean_bytes: int


def compare_encoders(images: NDArray[np.uint8]) -> list[EncoderRow]:
    """Encode the same images with every encoder at hand.

    Args:
        images: uint8 [N, H, W, 3].
    """
    rows = []
    for name, encoder in _encoders().items():
        times_s, sizes = [], []
        for image in images:
            for _ in range(REPEATS):
                started_s = time.process_time()
                png = encoder(image)
                times_s.append(time.process_time() - started_s)
            sizes.append(len(png))
        rows.append(EncoderRow(images.shape[1], name, round(1000 * min(times_s), 3), round(mean(sizes))))
    return rows


def _encoders() -> dict[str, Encoder]:
    provenance = Provenance(
        model="bench",
        model_digest="sha256:" + "0" * 64,
        seed=0,
        index=0,
        engine="openvino",
        precision="fp32",
        isa="avx2",
    )
    found: dict[str, Encoder] = {
        "ours": lambda image: encode(image, provenance),
        "Pillow, level 6": lambda image: _pillow(image, 6),
        "Pillow, level 1": lambda image: _pillow(image, 1),
    }
    if find_spec("imagecodecs"):
        import imagecodecs

        found["imagecodecs, level 1"] = lambda image: bytes(imagecodecs.png_encode(image, level=1))
        found["imagecodecs, RLE, Paeth"] = lambda image: bytes(
            imagecodecs.png_encode(image, level=1, strategy=imagecodecs.PNG.STRATEGY.RLE, filter=128)
        )
    return found


def _pillow(image: NDArray[np.uint8], level: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=level)
    return buffer.getvalue()
