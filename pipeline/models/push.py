"""Puts a checkpoint into the store under its digest, so that workers that lack it can fetch it."""

from __future__ import annotations

import hashlib
from typing import Final

from model.checkpoint import load_checkpoint
from model.errors import CheckpointError, DigestError
from model.registry import ModelInfo
from pipeline.errors import RequestError
from results.errors import ObjectExists
from results.naming import model_name
from results.stores.base import Progress, Store

CHECKPOINT_TYPE: Final = "application/octet-stream"


def push_model(store: Store, model: ModelInfo, progress: Progress | None = None) -> int:
    """Put a model's checkpoint into the store, unless it is there already.

    Args:
        store: where to.
        model: the model, from the registry.
        progress: told how many bytes are through.
    Returns:
        Bytes sent; 0 if it was there.
    Raises:
        CheckpointError: the file is damaged or cannot be read, or the object there is not whole.
        DigestError: the file has changed since `model` was read.
        RequestError: the model is no checkpoint of ours.
        StoreError: the store failed.
    """
    if not model.is_checkpoint:
        raise RequestError(
            f"{model.name} is a {model.family} model, not a checkpoint, and cannot be pushed:"
            " `diptych model add` makes it known on each worker"
        )
    name = model_name(model.digest)
    there = store.stat(name)
    if there is None:
        # Damage is told here, once, and not by every worker.
        load_checkpoint(model.path)
        content = _read(model)
        try:
            store.create(name, content, CHECKPOINT_TYPE, progress)
            return len(content)
        except ObjectExists:
            # Somebody else was quicker.
            return 0
    wanted_bytes = model.path.stat().st_size
    if there.size_bytes != wanted_bytes:
        raise CheckpointError(
            f"{store.url}/{name} is damaged ({there.size_bytes} bytes, not {wanted_bytes}):"
            " delete it there and push again"
        )
    return 0


def _read(model: ModelInfo) -> bytes:
    try:
        content = model.path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{model.path.name}: cannot be read: {error.strerror}") from None
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != model.digest:
        raise DigestError(f"{model.path.name} has changed meanwhile: try again")
    return content
