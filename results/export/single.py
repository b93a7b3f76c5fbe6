"""Exports that are one file. Interrupted, they go on behind the last task that the journal names."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from results.export.encoder import Encoder
from results.export.partial import JOURNAL_SUFFIX, SUFFIX, PartialFile, read_json, write_json
from results.export.samples import Sample, Source, TaskDocument
from results.naming import manifest_name
from results.targets import Target

Steps = Generator[int, None, None]
"""Each the number of images that are new in an export."""

DIRECTORY_SUFFIX: Final = f"{SUFFIX}-directory"
SCHEMA: Final = "diptych.export/1"
JOURNAL_EVERY_S: Final = 1.0
"""What a kill costs: the work since the last entry."""


@dataclass
class ExportCounts:
    """What has been exported.

    Args:
        images: in the export now, `kept` of them from an earlier run.
        left_out: images and records that were missing or damaged.
        path: the file or folder; None: a stream.
    """

    path: Path | None
    images: int = 0
    kept: int = 0
    left_out: int = 0
    size_bytes: int = 0


class SingleFileExport:
    """Writes one file.

    Args:
        source: the job.
        encoder: the form.
        form: its name.
        path: the file.
        directory: the encoder's own side file, if it has one; removed at the end.
    """

    def __init__(
        self, source: Source, encoder: Encoder, form: str, path: Path, directory: Path | None = None
    ) -> None:
        self.counts = ExportCounts(path)
        self._source = source
        self._encoder = encoder
        self._form = form
        self._path = path
        self._directory = directory
        self._journal = path.with_name(path.name + JOURNAL_SUFFIX)
        self._identity: dict[str, Any] = {}
        self._written_s = 0.0

    def run(self) -> Steps:
        """Write it, yielding how many images are new in it, step by step (first those of an earlier run).

        Raises:
            ExportError: something is missing, and the source is strict; or another export is at work.
            StoreError: the store failed.
            OSError: the file cannot be written; what is there stays, and the next run goes on.
        """
        source = self._source
        manifest = source.store.read(manifest_name(source.manifest.job_id))
        self._identity = {
            "schema": SCHEMA,
            "job_id": source.manifest.job_id,
            "format": self._form,
            "targets": [*source.targets],
            "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
            # A job that has grown would leave a gap: its export starts over.
            "records": source.record_counts(),
        }
        with PartialFile(self._path, keep=True) as partial:
            first, after_task = self._restore(partial)
            if first is None:
                partial.go_on_at(0)
                partial.write(self._encoder.begin(manifest))
                first = source.targets[0]
            else:
                yield self.counts.kept
            for target in source.targets[source.targets.index(first) :]:
                yield from self._write_target(partial, target, after_task)
                after_task = None
            for piece in self._encoder.end():
                partial.write(piece)
            partial.finish()
            self.counts.size_bytes = partial.file.tell()
            self._remove_traces()
        self.counts.left_out = source.left_out

    def _write_target(self, partial: PartialFile, target: Target, after_task: int | None) -> Steps:
        for item in self._source.items(target, after_task):
            if isinstance(item, TaskDocument):
                self._note(partial, target, item.stored.record.task_index - 1)
                partial.write(self._encoder.document(item))
            else:
                partial.write(self._encoder.sample(item))
                self.counts.images += 1
                yield 1

    def _note(self, partial: PartialFile, target: Target, after_task: int) -> None:
        """Now and then write down that all before this task is in the file."""
        if time.monotonic() - self._written_s < JOURNAL_EVERY_S:
            return
        state = self._encoder.save()
        entry = {
            **self._identity,
            "bytes": partial.sync(),
            "target": target,
            "after_task": after_task,
            "images": self.counts.images,
            "left_out": self._source.left_out,
            "encoder": state,
        }
        write_json(self._journal, entry)
        self._written_s = time.monotonic()

    def _restore(self, partial: PartialFile) -> tuple[Target | None, int | None]:
        """Take up an earlier run: the target and the task behind which to go on; (None, None): start over."""
        entry = read_json(self._journal)
        if any(entry.get(name) != value for name, value in self._identity.items()):
            return None, None
        target = next((one for one in self._source.targets if one == entry.get("target")), None)
        try:
            images, left_out, after_task = (int(entry[key]) for key in ("images", "left_out", "after_task"))
            self._encoder.restore(entry["encoder"])
            partial.go_on_at(int(entry["bytes"]))
        except (KeyError, TypeError, ValueError):
            # Its files were changed by somebody else.
            return None, None
        self.counts.images = self.counts.kept = images
        self._source.left_out = left_out
        return target, (after_task if after_task >= 0 else None)

    def _remove_traces(self) -> None:
        self._journal.unlink(missing_ok=True)
        if self._directory:
            self._directory.unlink(missing_ok=True)


def stream(source: Source, encoder: Encoder, out: IO[bytes], counts: ExportCounts) -> Steps:
    """Write the same to a stream, from the beginning, yielding 1 per image.

    Raises:
        ExportError, StoreError, OSError: as `SingleFileExport.run`.
    """
    out.write(encoder.begin(source.store.read(manifest_name(source.manifest.job_id))))
    for target in source.targets:
        for item in source.items(target, None):
            if isinstance(item, Sample):
                out.write(encoder.sample(item))
                counts.images += 1
                yield 1
            else:
                out.write(encoder.document(item))
    for piece in encoder.end():
        out.write(piece)
    out.flush()
    counts.left_out = source.left_out
