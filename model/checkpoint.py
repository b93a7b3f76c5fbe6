"""Checkpoints: safetensors with the generator's config inside. Nothing is ever unpickled.

Layout of the tensors (see `GeneratorConfig.tensor_shapes`): plain convolution weights, the equalised
learning rate's scales folded in. A latent is pixel-normalised, goes through `input`, is viewed as
[C0, 4, 4]; every layer but `to_rgb` is followed by a leaky ReLU, then pixel norm; each block from 1 on
begins with a nearest upsampling.
Output x in [-1, 1] becomes uint8 as clip(round((x + 1) * 127.5), 0, 255).
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, BinaryIO

from model.config import GeneratorConfig
from model.errors import CheckpointError, quoted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tensor = NDArray[np.float16] | NDArray[np.float32]

CONFIG_KEY = "diptych"
CHECKSUM_KEY = "diptych.sha256"
MAX_HEADER_BYTES = 1 << 20
ITEM_BYTES = {"F16": 2, "F32": 4}
NUMPY_TYPES = {"F16": "<f2", "F32": "<f4"}


@dataclass(frozen=True, slots=True)
class Header:
    """A checkpoint's header, read without its weights.

    Args:
        config: the generator's config.
        checksum: SHA-256 (hex) over config JSON and tensor bytes, as stored.
        config_text: the config JSON as stored; the checksum covers these very bytes.
        data_start: byte offset of the tensors in the file.
        places: each tensor's type ("F16", "F32") and its byte offset from `data_start`.
    """

    config: GeneratorConfig
    checksum: str
    config_text: str
    data_start: int
    places: Mapping[str, tuple[str, int]]


def read_header(path: Path) -> Header:
    """Read and check a checkpoint's header; needs neither numpy nor the weights.

    Args:
        path: a `.safetensors` file.
    Raises:
        CheckpointError: missing, a pickle, truncated or damaged, or the tensors do not match the config.
    """
    with open_file(path) as file:
        return _parse_header(path, file, os.fstat(file.fileno()).st_size)


def load_checkpoint(path: Path) -> tuple[dict[str, NDArray[np.float32]], GeneratorConfig]:
    """Load the weights as float32, checked against the config and the checksum.

    Raises:
        CheckpointError: see `read_header`; or the checksum does not match.
    """
    import numpy as np

    tensors, config = read_tensors(path)
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}, config


def read_tensors(path: Path) -> tuple[dict[str, Tensor], GeneratorConfig]:
    """Read the weights as stored, verified as in `load_checkpoint`, without copying each tensor.

    Returns:
        float16 or float32 tensors, as `config.tensor_shapes()` names them, and the config. They are views
        of one buffer, which a runtime can share.
    Raises:
        CheckpointError: see `load_checkpoint`.
    """
    import numpy as np

    with open_file(path) as file:
        # OpenVINO shares only writable memory, which bytes are not.
        content = bytearray(os.fstat(file.fileno()).st_size)
        del content[file.readinto(content) :]
    header = _parse_header(path, io.BytesIO(memoryview(content)[: MAX_HEADER_BYTES + 8]), len(content))
    if _checksum(header.config_text, memoryview(content)[header.data_start :]) != header.checksum:
        raise CheckpointError(f"{path.name}: damaged: its checksum does not match")
    tensors: dict[str, Tensor] = {}
    for name, shape in header.config.tensor_shapes().items():
        dtype, offset = header.places[name]
        flat = np.frombuffer(
            content, np.dtype(NUMPY_TYPES[dtype]), math.prod(shape), header.data_start + offset
        )
        tensors[name] = flat.reshape(shape)
    return tensors, header.config


def save_checkpoint(
    path: Path,
    tensors: Mapping[str, NDArray[np.floating[Any]]],
    config: GeneratorConfig,
    *,
    half: bool = True,
) -> str:
    """Save weights with their config, atomically: a failed save leaves the previous file.

    Args:
        path: the file; its folder is created.
        tensors: as `config.tensor_shapes()` names them, floating point.
        config: the generator's config.
        half: round to fp16, which halves the file and costs about 60 dB PSNR; else fp32.
    Returns:
        The file's digest, "sha256:<hex>".
    Raises:
        CheckpointError: tensors do not match the config or are not finite when rounded, or the write failed.
    """
    import numpy as np
    from safetensors.numpy import save

    shapes = config.tensor_shapes()
    if set(tensors) != set(shapes):
        raise CheckpointError(f"{path.name}: {_first_difference(set(tensors), set(shapes))}")
    dtype = np.float16 if half else np.float32
    stored: dict[str, NDArray[np.floating[Any]]] = {}
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            raise CheckpointError(f"{path.name}: {name} is {tensors[name].shape}, but {shape} in the config")
        with np.errstate(over="ignore"):
            stored[name] = np.ascontiguousarray(tensors[name], dtype=dtype)
        if not np.isfinite(stored[name]).all():
            raise CheckpointError(
                f"{path.name}: {name} has values that are not finite in fp{8 * stored[name].itemsize}"
            )
    content = _with_config(save(stored), config.to_json())
    write_atomically(path, content)
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def digest(path: Path) -> str:
    """Compute the SHA-256 of a file as "sha256:<hex>", streamed.

    Raises:
        CheckpointError: the file cannot be read.
    """
    with open_file(path) as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


@contextmanager
def open_file(path: Path) -> Iterator[io.BufferedReader]:
    """Open a model's file. Raises CheckpointError if it cannot be read, or is a pipe, which never may end."""
    try:
        # Else opening a pipe waits for its writer.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CheckpointError(f"{path.name}: cannot be read: not a regular file")
            yield file
    except OSError as error:
        raise CheckpointError(f"{path.name}: cannot be read: {error.strerror}") from None


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file, sync and rename: readers see the old file or the new one.

    A symbolic link is followed; a device or a pipe is written to.

    Raises:
        CheckpointError: the write failed; the previous file is untouched.
    """
    temporary: Path | None = None
    try:
        if path.is_char_device() or path.is_fifo():
            path.write_bytes(content)
            return
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be saved: {error.strerror}; the previous file is kept"
        ) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _with_config(file: bytes, config_text: str) -> bytes:
    # Not done by the library: its metadata have a random order, but equal weights must give equal files.
    start = 8 + int.from_bytes(file[:8], "little")
    header = json.loads(file[8:start])
    header["__metadata__"] = {
        CONFIG_KEY: config_text,
        CHECKSUM_KEY: _checksum(config_text, memoryview(file)[start:]),
    }
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + file[start:]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checksum(config_text: str, data: memoryview) -> str:
    checksum = hashlib.sha256(config_text.encode())
    checksum.update(data)
    return checksum.hexdigest()


def _parse_header(path: Path, file: BinaryIO, size: int) -> Header:
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or not 2 <= length <= min(size - 8, MAX_HEADER_BYTES):
        # A pickle starts with its protocol's opcode, torch's zip of pickles with "PK".
        if start[:1] == b"\x80" or start[:2] == b"PK":
            raise CheckpointError(f"{path.name}: a pickled checkpoint; only safetensors files are loaded")
        raise CheckpointError(f"{path.name}: not a safetensors file, or truncated")
    try:
        document = json.loads(file.read(length))
        metadata = document.pop("__metadata__")
        config_text, checksum = metadata[CONFIG_KEY], metadata[CHECKSUM_KEY]
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path.name}: its header is damaged") from None
    except (KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{path.name}: has no diptych config") from None
    if not isinstance(config_text, str) or not isinstance(checksum, str):
        raise CheckpointError(f"{path.name}: has no diptych config")
    try:
        config = GeneratorConfig.from_json(config_text)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from None
    places = _check_entries(path, document, config, size - 8 - length)
    return Header(config, checksum, config_text, data_start=8 + length, places=places)


def _check_entries(
    path: Path, entries: dict[str, Any], config: GeneratorConfig, data_bytes: int
) -> dict[str, tuple[str, int]]:
    shapes = config.tensor_shapes()
    if set(entries) != set(shapes):
        raise CheckpointError(f"{path.name}: {_first_difference(set(entries), set(shapes))}")
    spans: list[tuple[int, int]] = []
    places: dict[str, tuple[str, int]] = {}
    for name, shape in shapes.items():
        try:
            dtype, stored = entries[name]["dtype"], tuple(entries[name]["shape"])
            begin, end = entries[name]["data_offsets"]
            size = math.prod(shape) * ITEM_BYTES[dtype]
        except (KeyError, TypeError, ValueError):
            raise CheckpointError(f"{path.name}: the entry of {name} is damaged") from None
        # JSON has true and 1e400 too, which compare with whole numbers.
        are_whole = all(type(number) is int for number in (begin, end, *stored))
        if stored != shape:
            raise CheckpointError(f"{path.name}: {name} is {str(stored)[:80]}, but {shape} in the config")
        if not are_whole or end - begin != size:
            raise CheckpointError(f"{path.name}: the entry of {name} is damaged")
        spans.append((begin, end))
        places[name] = (dtype, begin)
    spans.sort()
    ends = [0, *(end for _, end in spans)]
    if any(begin != before for (begin, _), before in zip(spans, ends, strict=False)):
        raise CheckpointError(f"{path.name}: its header is damaged")
    if ends[-1] != data_bytes:
        problem = "truncated" if data_bytes < ends[-1] else "extra bytes after its weights"
        raise CheckpointError(f"{path.name}: {problem}: {data_bytes} bytes of weights, not {ends[-1]}")
    return places


def _first_difference(names: set[str], expected: set[str]) -> str:
    missing, extra = sorted(expected - names), sorted(names - expected)
    return f"tensor {missing[0]} is missing" if missing else f"tensor {quoted(extra[0])} is not in the config"
