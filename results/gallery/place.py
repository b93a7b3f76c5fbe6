"""Where a gallery is written to."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from results.errors import ObjectExists
from results.naming import job_prefix
from results.stores.base import Store


class Place(Protocol):
    """A folder, or a job's own corner of its store."""

    keeps_originals: bool
    """True if the PNGs are to be written too."""

    def write(self, file: str, data: bytes, content_type: str) -> None:
        """Write a file, or replace it."""
        ...

    def original(self, job_id: str, image: str) -> str:
        """Address of an image's PNG, seen from a page; "" if it cannot be had."""
        ...


class FolderPlace:
    """A folder.

    Args:
        folder: made if it does not exist.
        with_originals: copy the PNGs too, so that a click shows the whole image.
    """

    def __init__(self, folder: Path, *, with_originals: bool) -> None:
        self.keeps_originals = with_originals
        self._folder = folder

    def write(self, file: str, data: bytes, content_type: str) -> None:  # noqa: ARG002 (folders keep no types)
        """Write a file, whole or not at all."""
        path = self._folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.part")
        partial.write_bytes(data)
        partial.replace(path)

    def original(self, job_id: str, image: str) -> str:
        """It lies beside the thumbnails, if it was copied."""
        return f"originals/{image.removeprefix(job_prefix(job_id))}" if self.keeps_originals else ""


class StorePlace:
    """`gallery/` in the job's own part of a store, for those who publish the bucket.

    Args:
        store: the job's.
        job_id: the job.
    """

    keeps_originals = False

    def __init__(self, store: Store, job_id: str) -> None:
        self._store = store
        self._prefix = f"{job_prefix(job_id)}gallery/"
        self.url = f"{store.url.partition('?')[0]}/{self._prefix}index.html"

    def write(self, file: str, data: bytes, content_type: str) -> None:
        """Write an object. Stores never overwrite: one that differs is deleted first."""
        name = self._prefix + file
        try:
            self._store.create(name, data, content_type)
        except ObjectExists:
            if self._store.read(name) != data:
                self._store.delete(name)
                self._store.create(name, data, content_type)

    def original(self, job_id: str, image: str) -> str:
        """The PNG is in the store already, one folder up."""
        return f"../{image.removeprefix(job_prefix(job_id))}"
