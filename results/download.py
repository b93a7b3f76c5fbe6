"""Copying a job's images and records to a folder; what is there already is not fetched again.

The folder then holds what the store holds below the job: `job.json`, `<target>/images/`, `<target>/records/`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from results.browse import list_images
from results.documents import Manifest, load
from results.errors import ImageError, ObjectNotFound
from results.naming import image_name, job_prefix, manifest_name, records_prefix
from results.parallel import map_in_order
from results.record import Record
from results.stores.base import Store
from results.targets import Target

_PART: Final = re.compile(r"\..+\.([0-9]+)\.part")
_RECORD: Final = re.compile(r"([0-9]{6})\.json")


@dataclass(frozen=True, slots=True)
class Fetched:
    """One object of the job that is in the folder now.

    Args:
        name: its object name.
        is_image: an image, not a record.
        size_bytes: of its content.
        kept: it was there already.
    """

    name: str
    is_image: bool
    size_bytes: int
    kept: bool


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An object to fetch, and how to tell that a local copy is the same: its hash, or else its size."""

    name: str
    is_image: bool
    sha256: str | None
    size_bytes: int


class Download:
    """Copies one job. An interrupted one goes on where it was when it is run again.

    Args:
        store: where the job is.
        manifest: the job's.
        folder: where to; made if it does not exist.
    """

    def __init__(self, store: Store, manifest: Manifest, folder: Path) -> None:
        self._store = store
        self._manifest = manifest
        self._folder = folder

    def run(self, targets: Sequence[Target]) -> Iterator[Fetched]:
        """Yield each object of these targets once it is in the folder.

        Raises:
            ImageError: a stored image is not the one that its record lists.
            DocumentError: a record is damaged.
            StoreError: the store failed.
            OSError: the folder cannot be written to.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        _clear_parts(self._folder)
        name = manifest_name(self._manifest.job_id)
        yield self._fetch(_Wanted(name, False, None, len(self._store.read(name))))
        for target in targets:
            yield from map_in_order(self._finish, self._walk(target))

    def _walk(self, target: Target) -> Iterator[Fetched | _Wanted]:
        """Yield each record, fetched, then its images, to be fetched; at last the images without a record."""
        job_id, prefix = self._manifest.job_id, records_prefix(self._manifest.job_id, target)
        recorded: set[int] = set()
        for info in self._store.list(prefix):
            if not _RECORD.fullmatch(info.name, len(prefix)):
                continue
            yield self._fetch(_Wanted(info.name, False, None, info.size_bytes))
            record = load(Record, self._path(info.name).read_bytes(), info.name)
            for entry in record.images:
                yield _Wanted(image_name(job_id, target, entry.index), True, entry.sha256, entry.bytes)
            recorded.update(entry.index for entry in record.images)
        for image in list_images(self._store, job_id, target):
            if image.index not in recorded:
                yield _Wanted(image.name, True, None, image.size_bytes)

    def _finish(self, item: Fetched | _Wanted) -> Fetched:
        return item if isinstance(item, Fetched) else self._fetch(item)

    def _fetch(self, wanted: _Wanted) -> Fetched:
        path = self._path(wanted.name)
        if _is_same(path, wanted):
            return Fetched(wanted.name, wanted.is_image, wanted.size_bytes, kept=True)
        data = self._read(wanted)
        if wanted.sha256 and hashlib.sha256(data).hexdigest() != wanted.sha256:
            raise ImageError(f"{wanted.name} is not the image that its record lists: it was changed since")
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, data)
        return Fetched(wanted.name, wanted.is_image, len(data), kept=False)

    def _read(self, wanted: _Wanted) -> bytes:
        try:
            return self._store.read(wanted.name)
        except ObjectNotFound as error:
            if not wanted.sha256:
                raise
            raise ImageError(f"{wanted.name} is missing, though its task's record lists it") from error

    def _path(self, name: str) -> Path:
        return self._folder / name.removeprefix(job_prefix(self._manifest.job_id))


def _is_same(path: Path, wanted: _Wanted) -> bool:
    try:
        if path.stat().st_size != wanted.size_bytes:
            return False
        return wanted.sha256 is None or hashlib.sha256(path.read_bytes()).hexdigest() == wanted.sha256
    except FileNotFoundError:
        return False


def _clear_parts(folder: Path) -> None:
    """Remove what downloads that were killed have left."""
    for path in folder.rglob(".*.part"):
        match = _PART.fullmatch(path.name)
        if match and not _runs(int(match[1])):
            path.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is never seen in part, whatever interrupts."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
