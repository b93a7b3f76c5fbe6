"""Find the external weight files of an ONNX file (protobuf).

The field numbers are those of onnx.proto; so few need no protobuf library.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from model.errors import CheckpointError

_VARINT: Final = 0
_BYTES: Final = 2
_FIXED: Final = {1: 8, 5: 4}
_MAX_DEPTH: Final = 32

_GRAPH: Final = {7}
"""ModelProto.graph."""
_IN_GRAPH: Final = {1: "node", 5: "tensor"}
_IN_NODE: Final = {5: "attribute"}
_IN_ATTRIBUTE: Final = {5: "tensor", 10: "tensor", 6: "graph", 11: "graph"}
_INSIDE: Final = {"graph": _IN_GRAPH, "node": _IN_NODE, "attribute": _IN_ATTRIBUTE}
_EXTERNAL_DATA: Final = 13
"""TensorProto.external_data: pairs of key (1) and value (2); the value of "location" is a path."""


def external_files(content: bytes, name: str) -> list[str]:
    """List the external files in which an ONNX file keeps weights.

    Args:
        content: the file.
        name: its name, for messages.
    Raises:
        CheckpointError: it is not ONNX, or truncated.
    """
    view = memoryview(content)
    try:
        graphs = [part for number, part in _fields(view) if number in _GRAPH]
        if not graphs:
            raise ValueError("no graph")
        return [location for graph in graphs for location in _locations(graph, "graph", 0)]
    except (ValueError, IndexError) as error:
        raise CheckpointError(f"{name}: not an ONNX file, or truncated ({error})") from None


def _locations(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    for number, part in _fields(message):
        if kind == "tensor":
            if number == _EXTERNAL_DATA:
                pair = dict(_fields(part))
                if bytes(pair.get(1, b"")) == b"location":
                    yield bytes(pair.get(2, b"")).decode("utf-8", "replace")
        elif number in _INSIDE[kind]:
            yield from _locations(part, _INSIDE[kind][number], depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Field numbers and contents of the length-delimited fields; the others are skipped."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == _VARINT:
            _, at = _varint(message, at)
        elif wire in _FIXED:
            at += _FIXED[wire]
        elif wire == _BYTES:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("truncated")
            yield key >> 3, message[at : at + length]
            at += length
        else:
            raise ValueError(f"wire type {wire}")
    if at > len(message):
        raise ValueError("truncated")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("varint too long")
