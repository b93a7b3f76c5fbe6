"""Where a worker keeps the checkpoints that it has fetched: the cache folder, else a temporary one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from model.calibration import user_cache_folder
from pipeline.config.settings import Settings
from pipeline.config.temporary_folder import temporary_folder
from pipeline.errors import CacheError
from pipeline.models.checkpoint_folder import CheckpointFolder

CACHE_NAME: Final = "models"

_log = logging.getLogger(__name__)


class ModelCache:
    """Checkpoints by digest, on disk. A read-only or full cache folder gives way to a temporary one.

    Args:
        settings: where, and how much.
    """

    def __init__(self, settings: Settings) -> None:
        self.capacity_bytes: int = settings.cache_bytes
        self._chosen = settings.cache_dir

    def obtain(self, digest: str, download: Callable[[], bytes]) -> Path:
        """Return the checkpoint of that digest, downloading it if it is nowhere here.

        Args:
            digest: "sha256:<hex>".
            download: returns the content, already checked; called at most once.
        Raises:
            CacheError: no folder takes it.
            Exception: whatever `download` raises.
        """
        content: list[bytes] = []

        def once() -> bytes:
            if not content:
                content.append(download())
            return content[0]

        troubles: list[str] = []
        for choose in (self._cache_folder, _temporary_folder):
            try:
                folder = CheckpointFolder(choose(), self.capacity_bytes)
                return folder.find(digest) or folder.obtain(digest, once)
            except OSError as error:
                where = f"{error.filename}: " if error.filename else ""
                troubles.append(f"{where}{error.strerror or error}")
                _log.warning("a fetched model cannot be kept: %s", troubles[-1])
        raise CacheError(
            f"no place for fetched models ({'; '.join(troubles)}): free some space, or name a writable folder"
            " with DIPTYCH_CACHE_DIR"
        )

    def _cache_folder(self) -> Path:
        return self._chosen or user_cache_folder() / CACHE_NAME


def _temporary_folder() -> Path:
    return temporary_folder() / CACHE_NAME
