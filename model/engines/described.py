"""Load a model from its descriptor: verify its files, then load them in its family's runtime."""

from __future__ import annotations

from pathlib import Path

from model.descriptor import Descriptor, check_pins, read_descriptor
from model.errors import CheckpointError, DigestError
from model.hashing import hash_tree
from model.protocol import Engine
from model.registry import ModelInfo


def load_described(info: ModelInfo, *, precision: str, threads: int) -> Engine:
    """Load a model that has a descriptor.

    Args:
        info: the model, from the registry.
        precision: "auto", "fp32", "bf16" or "int8".
        threads: inference threads, at least 1.
    Raises:
        DigestError: the descriptor or a file that it pins has changed.
        CheckpointError: a file is missing or damaged.
        EngineError: the family's runtime is not installed, or cannot run the model here.
    """
    descriptor = check_described(info)
    # Imported here: each runtime is large, and a worker uses one.
    if descriptor.family == "diffusers":
        from model.engines.diffusers import load_diffusers

        return load_diffusers(descriptor, source_path(info, descriptor), precision=precision, threads=threads)
    if descriptor.family == "onnx":
        from model.engines.onnx import load_onnx

        return load_onnx(descriptor, source_path(info, descriptor), precision=precision, threads=threads)
    from model.engines.python import load_python

    return load_python(descriptor, precision=precision, threads=threads)


def check_described(info: ModelInfo) -> Descriptor:
    """Verify that a model's files are unchanged since it was added; nothing is loaded.

    Raises:
        DigestError: the descriptor or a file that it pins has changed.
        CheckpointError: a file is missing, or the descriptor is damaged.
        EngineError: the module of a python factory cannot be found.
    """
    descriptor = read_descriptor(info.path)
    if descriptor.digest != info.digest:
        raise DigestError(f"{info.path.name} has changed since it was registered as {info.digest[:19]}")
    if descriptor.local:
        source = source_path(info, descriptor)
        check_pins(hash_tree(source), descriptor.files, str(source))
    elif descriptor.family == "python":
        from model.engines.python import hash_module

        check_pins(hash_module(descriptor.source), descriptor.files, descriptor.source)
    return descriptor


def source_path(info: ModelInfo, descriptor: Descriptor) -> Path:
    """The location of the files: relative to the descriptor, or in the cache of the hub.

    Raises:
        CheckpointError: a model of the hub is not on this machine.
    """
    if descriptor.local:
        return info.path.parent / descriptor.source
    from model.hub import snapshot

    folder = snapshot(descriptor.source)
    if folder is None:
        name, _, commit = descriptor.source.partition("@")
        raise CheckpointError(
            f"{name} at {commit[:12]} is not on this machine: run `hf download {name} --revision {commit}`"
        )
    return folder
