"""What goes into an export: a job's records and images, in order, checked, in bounded memory."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from results.documents import Manifest, load
from results.errors import DocumentError, ObjectNotFound, ResultsError
from results.naming import image_name, records_prefix
from results.parallel import THREADS, map_in_order
from results.record import ImageEntry, Record
from results.records import StoredRecord
from results.stores.base import ObjectInfo, Store
from results.targets import Target

_RECORD: Final = re.compile(r"([0-9]{6})\.json")
_SMALL_SIDE: Final = 1024
_LARGE_THREADS: Final = 4
"""Pictures of more pixels than that a side take megabytes each: fewer are read ahead."""


class ExportError(ResultsError):
    """An export cannot go on; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class TaskDocument:
    """One task's record.

    Args:
        name: its object name.
        raw: as it is stored.
        stored: the same, read.
    """

    name: str
    raw: bytes
    stored: StoredRecord


@dataclass(frozen=True, slots=True)
class Sample:
    """One image.

    Args:
        document: its task's record.
        entry: what that says of the image.
        name: the image's object name.
        png: its content; empty where only metadata is exported.
    """

    document: TaskDocument
    entry: ImageEntry
    name: str
    png: bytes


@dataclass
class Source:
    """Reads a job for an export.

    Args:
        store: where it is.
        manifest: the job's.
        targets: whose images.
        with_images: read the PNGs too.
        strict: what is missing or damaged ends the export.
        tell: told, in a line, of what is left out.
    """

    store: Store
    manifest: Manifest
    targets: tuple[Target, ...]
    with_images: bool
    strict: bool
    tell: Callable[[str], None]
    left_out: int = 0
    """Images and records that are missing or damaged."""
    wanted: Callable[[Target, int], bool] = field(default=lambda _target, _index: True)
    """Whether an image is to be read; those that are not are passed over in silence."""

    def record_counts(self) -> dict[Target, int]:
        """How many records each target has: an export that goes on must meet the same."""
        return {target: sum(1 for _ in self._infos(target, None)) for target in self.targets}

    def items(self, target: Target, after_task: int | None) -> Iterator[TaskDocument | Sample]:
        """Yield each record of a target, in the order of tasks, and after it its images.

        Args:
            target: whose.
            after_task: begin behind this one.
        Raises:
            ExportError: something is missing or damaged, and `strict` is set.
            StoreError: the store failed.
        """
        infos = self._infos(target, after_task)
        documents = map_in_order(lambda info: self._read_record(info, target), infos)
        threads = THREADS if self.manifest.resolution <= _SMALL_SIDE else _LARGE_THREADS
        for item in map_in_order(self._read, self._walk(documents, target), threads=threads):
            if isinstance(item, str):
                self._leave_out(item)
            else:
                yield item

    def _infos(self, target: Target, after_task: int | None) -> Iterator[ObjectInfo]:
        prefix = records_prefix(self.manifest.job_id, target)
        after = None if after_task is None else f"{prefix}{after_task:06d}.json"
        for info in self.store.list(prefix, after=after):
            match = _RECORD.fullmatch(info.name, len(prefix))
            if match and int(match[1]) < self.manifest.task_count:
                yield info

    def _read_record(self, info: ObjectInfo, target: Target) -> TaskDocument | str:
        """The record, or in words what is wrong with it."""
        try:
            raw = self.store.read(info.name)
            record = load(Record, raw, info.name)
        except (DocumentError, ObjectNotFound) as error:
            return f"{error}: its images are left out"
        task = int(info.name[-11:-5])
        indices = [entry.index for entry in record.images]
        strangers = set(indices) - set(self.manifest.task_range(task))
        here = (record.job_id, record.target, record.task_index) == (self.manifest.job_id, target, task)
        if not here or strangers or len(set(indices)) < len(indices):
            return f"{info.name} does not belong here: it lists another task's images"
        return TaskDocument(info.name, raw, StoredRecord(record, info.created_at))

    def _walk(
        self, documents: Iterator[TaskDocument | str], target: Target
    ) -> Iterator[TaskDocument | str | tuple[TaskDocument, ImageEntry]]:
        for document in documents:
            yield document
            if isinstance(document, TaskDocument):
                for entry in sorted(document.stored.record.images, key=lambda entry: entry.index):
                    if self.wanted(target, entry.index):
                        yield document, entry

    def _read(
        self, item: TaskDocument | str | tuple[TaskDocument, ImageEntry]
    ) -> TaskDocument | Sample | str:
        if not isinstance(item, tuple):
            return item
        document, entry = item
        record = document.stored.record
        name = image_name(self.manifest.job_id, record.target, entry.index)
        if not self.with_images:
            return Sample(document, entry, name, b"")
        try:
            png = self.store.read(name)
        except ObjectNotFound:
            return f"{name} is missing, though its task's record lists it"
        if hashlib.sha256(png).hexdigest() != entry.sha256:
            return f"{name} is not the image that its record lists: it was changed since"
        return Sample(document, entry, name, png)

    def _leave_out(self, problem: str) -> None:
        if self.strict:
            raise ExportError(f"{problem} (without --strict it is left out)")
        self.left_out += 1
        self.tell(problem)
