"""PNG: valid for any reader, the same for the same picture, and never silent about damage."""

from __future__ import annotations

import hashlib
import struct
import sys
import threading
import time
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from results.errors import ImageError
from results.imaging.png import MAX_SIDE, decode, encode, pixel_sha256, read_provenance
from tests.support.builders.pictures import picture, provenance

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and data of each chunk, read by the letter of the specification."""
    assert png[:8] == bytes([137, 80, 78, 71, 13, 10, 26, 10])
    found, rest = [], png[8:]
    while rest:
        length = int.from_bytes(rest[:4], "big")
        kind, data, crc = rest[4:8], rest[8 : 8 + length], rest[8 + length : 12 + length]
        assert int.from_bytes(crc, "big") == zlib.crc32(kind + data)
        found.append((kind, data))
        rest = rest[12 + length :]
    return found


def with_chunk(png: bytes, kind: bytes, data: bytes) -> bytes:
    """A PNG with its iTXt chunk replaced."""
    return assembled([(kind, data) if k == b"iTXt" else (k, d) for k, d in chunks(png)])


def assembled(parts: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of these chunks, with the right checksums."""
    made = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return bytes([137, 80, 78, 71, 13, 10, 26, 10]) + b"".join(made)


@given(image=hnp.arrays(np.uint8, SHAPES))
def test_any_image_comes_back(image: NDArray[np.uint8]) -> None:
    png = encode(image, provenance())
    assert np.array_equal(decode(png), image)
    with Image.open(BytesIO(png)) as opened:
        opened.load()
        assert (opened.format, opened.mode, opened.size) == ("PNG", "RGB", image.shape[1::-1])
        assert np.array_equal(np.asarray(opened), image)


def test_holds_four_chunks_and_nothing_else() -> None:
    found = chunks(encode(picture(1), provenance(3)))
    assert [kind for kind, _ in found] == [b"IHDR", b"iTXt", b"IDAT", b"IEND"]
    assert found[1][1] == (
        b'diptych\0\0\0\0\0{"engine":"openvino","index":3,"isa":"avx2","model":"faces-64","model_digest":"sha256:'
        + b"ab" * 32
        + b'","params":{},"precision":"fp32","seed":7}'
    )


def test_pillow_reads_the_provenance_as_text() -> None:
    origin = provenance(params={"prompt": "ein Gemälde von Dürer, 𝄞", "steps": 4})
    with Image.open(BytesIO(encode(picture(1), origin))) as opened:
        opened.load()
        assert opened.info == {"diptych": origin.to_text()}


def test_equal_settings_give_equal_bytes() -> None:
    image = picture(1, 64)
    one = encode(image, provenance(params={"a": 1, "b": 2}))
    assert encode(np.asfortranarray(image), provenance(params={"b": 2, "a": 1})) == one
    assert encode(image[::-1], provenance()) != encode(image, provenance())


def test_is_hardly_bigger_than_what_pillow_makes() -> None:
    image = picture(1, 256)
    usual = BytesIO()
    Image.fromarray(image).save(usual, "PNG")
    assert len(encode(image, provenance())) < 1.15 * len(usual.getvalue())


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((1, MAX_SIDE + 1, 3), np.uint8),
    ],
)
def test_refuses_what_is_no_image(image: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \[H, W, 3\]"):
        encode(image, provenance())
    with pytest.raises(ValueError, match=r"expected uint8 \[H, W, 3\]"):
        pixel_sha256(image)


def test_pixels_are_hashed_row_by_row() -> None:
    image = picture(5)
    assert pixel_sha256(image) == hashlib.sha256(image.tobytes()).hexdigest()
    assert pixel_sha256(image[:, ::-1]) == hashlib.sha256(image[:, ::-1].tobytes()).hexdigest()


PNG = encode(picture(2), provenance())


@given(at=st.integers(0, len(PNG) - 1), flip=st.integers(1, 255))
def test_every_flipped_byte_is_noticed(at: int, flip: int) -> None:
    damaged = bytearray(PNG)
    damaged[at] ^= flip
    with pytest.raises(ImageError):
        decode(bytes(damaged))


@given(length=st.integers(0, len(PNG) - 1))
def test_every_cut_is_noticed(length: int) -> None:
    with pytest.raises(ImageError):
        decode(PNG[:length])


@given(data=st.binary(max_size=200))
def test_anything_else_is_refused(data: bytes) -> None:
    for start in (b"", PNG[:8], PNG[:33]):
        with pytest.raises(ImageError):
            decode(start + data)
        with pytest.raises(ImageError):
            read_provenance(start + data)


def test_a_huge_header_is_refused_before_memory_is_taken() -> None:
    header = struct.pack(">II", 2**31 - 1, 2**31 - 1) + bytes([8, 2, 0, 0, 0])
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    with pytest.raises(ImageError, match="the limit is 4096"):
        decode(assembled(parts))


def test_damage_below_the_checksums_is_noticed() -> None:
    parts = [(kind, b"no deflate stream" if kind == b"IDAT" else data) for kind, data in chunks(PNG)]
    with pytest.raises(ImageError, match="damaged PNG"):
        decode(assembled(parts))


def test_provenance_of_others_is_refused() -> None:
    prefix = b"diptych\0\0\0\0\0"
    assert read_provenance(PNG) == provenance()
    for kind, data, why in (
        (b"tEXt", b"diptych\0hello", "without provenance"),
        (b"iTXt", b"other\0\0\0\0\0{}", "without provenance"),
        (b"iTXt", prefix + b"{}", "bad provenance: model: Field required"),
        (b"iTXt", prefix + b"nonsense", "bad provenance"),
        (b"iTXt", prefix + b"\xff", "bad provenance"),
        (b"iTXt", prefix + b" " * 70_000, "over the limit"),
    ):
        with pytest.raises(ImageError, match=why):
            read_provenance(with_chunk(PNG, kind, data))


def test_others_run_while_it_encodes() -> None:
    """The GIL is released: another thread keeps counting while one big image is encoded."""
    image = picture(1, 1024)
    ticks: list[None] = []
    done = threading.Event()

    def tick() -> None:
        while not done.is_set():
            ticks.append(None)
            time.sleep(0.0005)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)  # without a release, nobody else would run at all
    thread = threading.Thread(target=tick)
    inside = 0
    try:
        thread.start()
        for _ in range(200):
            outside = len(ticks)
            encode(image, provenance())
            inside += len(ticks) - outside
            if inside > 5:
                break
    finally:
        done.set()
        sys.setswitchinterval(before)
        thread.join()
    assert inside > 5
