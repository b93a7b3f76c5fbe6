"""Tiny ONNX generators, written field by field (onnx.proto), so that the tests need no package for them.

latents -> MatMul with a random matrix -> optional Tanh or Sigmoid, scale -> Reshape to an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FLOAT, UINT8, INT64 = 1, 2, 7
Dim = int | str


def save_onnx(
    path: Path,
    *,
    latent: tuple[Dim, ...] = ("n", 6),
    image: tuple[int, ...] = (3, 8, 8),
    activation: str = "Tanh",
    scale: float = 1.0,
    as_bytes: bool = False,
    outputs: int = 1,
    size: int = 6,
    external: str | None = None,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Write a generator.

    Args:
        path: the file.
        latent: shape of the input; a text is an open dimension.
        image: shape of one output, without the batch.
        activation: "Tanh", "Sigmoid", "Identity" or "Log" (of anything: NaN for half of it).
        scale: multiplied in after the activation.
        as_bytes: cast the output to uint8.
        outputs: how many times the image is given out.
        size: length of a latent.
        external: keep the matrix in this file beside it.
        seed: of the matrix.
    Returns:
        The matrix, float32 [size, pixels].
    """
    pixels = int(np.prod(image))
    matrix = np.random.RandomState(seed).standard_normal((size, pixels)).astype(np.float32)
    nodes = [
        _node("Reshape", ["z", "row"], ["flat"]),
        _node("MatMul", ["flat", "matrix"], ["product"]),
        _node(activation, ["product"], ["activated"]),
        _node("Mul", ["activated", "scale"], ["scaled"]),
        _node("Reshape", ["scaled", "shape"], ["float_image"]),
        _cast("float_image", "image0", UINT8 if as_bytes else FLOAT),
        *[_node("Identity", ["image0"], [f"image{number}"]) for number in range(1, outputs)],
    ]
    tensors = [
        _tensor("row", np.array([-1, size], dtype=np.int64)),
        _tensor("shape", np.array([-1, *image], dtype=np.int64)),
        _tensor("scale", np.array(scale, dtype=np.float32)),
        _tensor("matrix", matrix, external),
    ]
    graph = b"".join(_part(1, node) for node in nodes) + _part(2, b"tiny")
    graph += b"".join(_part(5, tensor) for tensor in tensors)
    graph += _part(11, _value("z", FLOAT, latent))
    kind = UINT8 if as_bytes else FLOAT
    graph += b"".join(_part(12, _value(f"image{n}", kind, ("n", *image))) for n in range(outputs))
    opset = _part(1, b"") + _number(2, 17)
    path.write_bytes(_number(1, 9) + _part(7, graph) + _part(8, opset))
    if external:
        (path.parent / external).write_bytes(matrix.tobytes())
    return matrix


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    names = b"".join(_part(1, name.encode()) for name in inputs)
    return names + b"".join(_part(2, name.encode()) for name in outputs) + _part(4, kind.encode())


def _cast(source: str, target: str, kind: int) -> bytes:
    attribute = _part(1, b"to") + _number(3, kind) + _number(20, 2)
    return _node("Cast", [source], [target]) + _part(5, attribute)


def _tensor(name: str, values: NDArray[np.generic], external: str | None = None) -> bytes:
    kind = INT64 if values.dtype == np.int64 else FLOAT
    head = b"".join(_number(1, side) for side in values.shape) + _number(2, kind) + _part(8, name.encode())
    if external is None:
        return head + _part(9, values.tobytes())
    pair = _part(1, b"location") + _part(2, external.encode())
    return head + _part(13, pair) + _number(14, 1)


def _value(name: str, kind: int, shape: tuple[Dim, ...]) -> bytes:
    dims = b"".join(
        _part(1, _part(2, dim.encode()) if isinstance(dim, str) else _number(1, dim)) for dim in shape
    )
    return _part(1, name.encode()) + _part(2, _part(1, _number(1, kind) + _part(2, dims)))


def _part(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    digits = b""
    while value > 0x7F:
        digits += bytes([value & 0x7F | 0x80])
        value >>= 7
    return digits + bytes([value])
