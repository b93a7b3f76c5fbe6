"""Fetches checkpoints from the store for a worker whose own registry lacks them. The digest decides."""

from __future__ import annotations

import hashlib
import logging
import time

from model.errors import CheckpointError, DigestError, ModelError
from model.registry import ModelInfo, Registry
from pipeline.config.settings import Settings
from pipeline.models.disk_cache import ModelCache
from results.errors import ObjectNotFound
from results.naming import model_name
from results.stores.base import Store

_log = logging.getLogger(__name__)


class ModelSource:
    """Pushed models: in the store, and from then on in this machine's cache.

    Args:
        store: where `diptych model push` puts them.
        settings: where the cache is, and how large.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._cache = ModelCache(settings)
        self._registry = Registry(settings.model_dir)

    def fetch(self, name: str, digest: str, missing: ModelError) -> ModelInfo:
        """Return a pushed model, its checkpoint fetched and checked.

        What it is (family, config) is read from the checkpoint; the name only names it.

        Args:
            name: the name that the job gives it.
            digest: "sha256:<hex>" of the checkpoint.
            missing: why the registry does not have it.
        Raises:
            ModelError: `missing`, in more words: the store does not have it either.
            CheckpointError: what the store has is damaged, or too large for the cache.
            CacheError: it can be kept nowhere here.
            StoreError: the store failed.
        """
        path = self._cache.obtain(digest, lambda: self._download(name, digest, missing))
        try:
            return self._registry.describe(name, path)
        except CheckpointError as error:
            raise CheckpointError(f"model {name}, as it was pushed: {error}") from error

    def _download(self, name: str, digest: str, missing: ModelError) -> bytes:
        started_s = time.monotonic()
        object_name = model_name(digest)
        there = self._store.stat(object_name)
        if there is None:
            raise self._nowhere(name, missing)
        if there.size_bytes > self._cache.capacity_bytes:
            raise CheckpointError(
                f"model {name} has {there.size_bytes} bytes, more than this worker's cache of"
                f" {self._cache.capacity_bytes}: raise DIPTYCH_CACHE_BYTES"
            )
        try:
            content = self._store.read(object_name)
        except ObjectNotFound:
            raise self._nowhere(name, missing) from None
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise CheckpointError(
                f"{self._store.url}/{object_name} is not what its name says: delete it there, then"
                f" `diptych model push {name}`"
            )
        _log.info("fetched model %s: %d bytes in %.2f s", name, len(content), time.monotonic() - started_s)
        return content

    def _nowhere(self, name: str, missing: ModelError) -> ModelError:
        """The registry's own error, of its own kind, with what can be done."""
        if isinstance(missing, DigestError):  # a push would put today's model there
            return DigestError(f"{missing} (not in the store either)")
        return type(missing)(
            f"{missing}; nor is it in the store: `diptych model push {name}` puts a checkpoint there,"
            " `diptych model add` makes another model known on each worker"
        )
