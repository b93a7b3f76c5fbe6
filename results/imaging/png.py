"""PNG with provenance: IHDR, one iTXt chunk, one IDAT, IEND, and nothing else.

Source: W3C Recommendation "Portable Network Graphics (PNG) Specification (Third Edition)". How the filter
and the compressor were chosen: docs/adr/0004-png-encoder.md. numpy and isal release the GIL as they work.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Final

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from results.errors import ImageError
from results.imaging.provenance import MAX_TEXT_BYTES, Provenance

PNG_TYPE: Final = "image/png"
KEYWORD: Final = b"diptych"
MAX_SIDE: Final = 4096
"""Pixels; a bigger header is refused before memory is taken."""

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_EIGHT_BIT_RGB: Final = bytes([8, 2, 0, 0, 0])  # depth, colour type, compression, filter, not interlaced
_FILTER_AVERAGE: Final = 3
_LEVEL: Final = 1
_CHANNELS: Final = 3
_CHUNK_OVERHEAD: Final = 12  # length, type, CRC


def encode(image: NDArray[np.uint8], provenance: Provenance) -> bytes:
    """Encode an image. Equal pixels and provenance give equal bytes on equal machines.

    Args:
        image: uint8 [H, W, 3], RGB, sides 1..4096.
        provenance: what the pixels come from.
    Raises:
        ValueError: the array is not of that form.
    """
    _check_image(image)
    height, width, _ = image.shape
    header = struct.pack(">II", width, height) + _EIGHT_BIT_RGB
    # Keyword, NUL; not compressed, method 0; no language tag, NUL; no translated keyword, NUL; UTF-8 text.
    text = KEYWORD + b"\0\0\0\0\0" + provenance.to_text().encode()
    body = isal_zlib.compress(_filter_average(image).data, _LEVEL)
    chunks = ((b"IHDR", header), (b"iTXt", text), (b"IDAT", body), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def decode(png: bytes) -> NDArray[np.uint8]:
    """Decode a PNG to uint8 [H, W, 3]. Raises ImageError if it is damaged or over 4096 pixels a side."""
    from PIL import Image, UnidentifiedImageError

    width, height = _check_chunks(png)
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ImageError(f"a PNG of {width}x{height} pixels: the limit is {MAX_SIDE} a side")
    try:
        with Image.open(BytesIO(png), formats=["PNG"]) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, zlib.error, UnidentifiedImageError) as error:
        raise ImageError(f"damaged PNG: {error}") from error


def read_provenance(png: bytes) -> Provenance:
    """Return the provenance that a PNG carries.

    Raises:
        ImageError: not a PNG, damaged, or without provenance.
    """
    prefix = KEYWORD + b"\0\0\0\0\0"
    for kind, data in _chunks(png):
        if kind == b"iTXt" and data.startswith(prefix):
            if len(data) > MAX_TEXT_BYTES:
                raise ImageError(f"bad provenance: {len(data)} bytes, over the limit of {MAX_TEXT_BYTES}")
            try:
                text = data[len(prefix) :].decode()
            except UnicodeDecodeError as error:
                raise ImageError(f"bad provenance: {error}") from error
            return Provenance.from_text(text)
    raise ImageError("a PNG without provenance: it was not made, or was changed, by another program")


def pixel_sha256(image: NDArray[np.uint8]) -> str:
    """SHA-256, in hex, of the RGB bytes of uint8 [H, W, 3], row by row: equal whoever encoded them."""
    _check_image(image)
    return hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()


def _check_image(image: NDArray[np.uint8]) -> None:
    good = image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == _CHANNELS
    if not good or not all(0 < side <= MAX_SIDE for side in image.shape[:2]):
        raise ValueError(
            f"not an image: {image.dtype} {image.shape}, expected uint8 [H, W, 3] up to {MAX_SIDE}"
        )


def _filter_average(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Filter every row by the mean of the pixel to the left and the one above (type 3).

    Args:
        image: uint8 [H, W, 3].
    Returns:
        uint8 [H, 1 + 3 W]: the filter's type, then the residuals modulo 256.
    """
    height, width, _ = image.shape
    rows = image.reshape(height, width * _CHANNELS)
    mean = np.zeros(rows.shape, dtype=np.uint16)
    mean[:, _CHANNELS:] = rows[:, :-_CHANNELS]
    mean[1:] += rows[:-1]
    mean >>= 1
    filtered = np.empty((height, 1 + rows.shape[1]), dtype=np.uint8)
    filtered[:, 0] = _FILTER_AVERAGE
    np.subtract(rows, mean.astype(np.uint8), out=filtered[:, 1:])
    return filtered


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(data, zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(data)), kind, data, struct.pack(">I", crc)))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and data of each chunk, its CRC checked. Raises ImageError."""
    if not png.startswith(_SIGNATURE):
        raise ImageError("not a PNG" if png else "an empty file, not a PNG")
    position = len(_SIGNATURE)
    while position < len(png):
        if position + _CHUNK_OVERHEAD > len(png):
            raise ImageError("damaged PNG: cut off")
        length, kind = struct.unpack_from(">I4s", png, position)
        end = position + 8 + length
        if end + 4 > len(png):
            raise ImageError("damaged PNG: cut off")
        data = png[position + 8 : end]
        if struct.unpack_from(">I", png, end)[0] != zlib.crc32(data, zlib.crc32(kind)):
            raise ImageError(f"damaged PNG: wrong checksum of {kind!r}")
        yield kind, data
        position = end + 4


def _check_chunks(png: bytes) -> tuple[int, int]:
    """Return width and height of a PNG that is whole, by its own checksums."""
    chunks = [(kind, data if kind == b"IHDR" else b"") for kind, data in _chunks(png)]
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != len(_EIGHT_BIT_RGB) + 8:
        raise ImageError("damaged PNG: no header")
    if chunks[-1][0] != b"IEND":
        raise ImageError("damaged PNG: cut off")
    width, height = struct.unpack_from(">II", chunks[0][1])
    return width, height
