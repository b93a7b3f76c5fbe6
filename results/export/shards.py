"""Exports that are many files of a fixed run of indices each. Interrupted, they go on with the next file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Protocol

from results.export.partial import PartialFile, WholeWriter, read_json, write_json
from results.export.samples import ExportError, Sample, Source
from results.export.single import SCHEMA, ExportCounts, Steps
from results.naming import manifest_name
from results.targets import Target


class ShardWriter(Protocol):
    """Writes one shard into an open file."""

    def add(self, sample: Sample) -> None:
        """Add an image."""
        ...

    def close(self) -> None:
        """Write what is left, and the shard's end."""
        ...

    def abandon(self) -> None:
        """Write nothing more: the file cannot be written, or is not wanted."""
        ...


Output = IO[bytes] | WholeWriter
"""Where a shard is written to; a write takes all that it is given."""
OpenShard = Callable[[Output], ShardWriter]


class ShardedExport:
    """Writes `<job>-<target>-<shard>.<suffix>` files into a folder.

    Shard k of a target holds its images k * size to (k + 1) * size - 1, so that each can be made without the
    others. The ledger says how many images each has: a shard that is not whole, since tasks were not done or
    images are missing, is written again by the next run. It lies beside the folder, as
    `<folder>.<job>.<form>.json`: readers take every file in the folder for data.

    Args:
        source: the job.
        open_shard: begins a shard.
        form: the form's name.
        suffix: of the files' names.
        folder: where to.
        size: images per shard.
    """

    def __init__(
        self, source: Source, open_shard: OpenShard, form: str, suffix: str, folder: Path, size: int
    ) -> None:
        self.counts = ExportCounts(folder)
        self._source = source
        self._open = open_shard
        self._form = form
        self._suffix = suffix
        self._folder = folder
        self._size = size
        self._ledger_path = folder.with_name(f"{folder.name}.{source.manifest.job_id}.{form}.json")
        self._old_ledger_path = folder / f"_{source.manifest.job_id}.{form}.json"
        """Where earlier versions kept it."""
        self._ledger: dict[str, Any] = {}
        self._shards: dict[str, dict[str, int]] = {}

    def run(self) -> Steps:
        """Write the shards that are not whole yet, yielding how many images are new in the export.

        Raises:
            ExportError: something is missing, and the source is strict; the folder holds another export; or
                another export is at work.
            StoreError: the store failed.
            OSError: a file cannot be written; whole shards stay, and the next run goes on.
        """
        source = self._source
        self._folder.mkdir(parents=True, exist_ok=True)
        self._read_ledger()
        kept = {name for name in self._shards if self._is_whole(name)}
        source.wanted = lambda target, index: self._name(target, index // self._size) not in kept
        kept_images = sum(self._shards[name]["images"] for name in kept if self._is_ours(name))
        self.counts.images = self.counts.kept = kept_images
        yield kept_images
        for target in source.targets:
            yield from self._write_target(target, kept)
        self.counts.left_out = source.left_out
        self.counts.size_bytes = sum(
            one["bytes"] for name, one in self._shards.items() if self._is_ours(name)
        )

    def _write_target(self, target: Target, kept: set[str]) -> Steps:
        samples = (
            item
            for item in self._source.items(target, self._after_task(target, kept))
            if isinstance(item, Sample)
        )
        sample = next(samples, None)
        while sample:
            number = sample.entry.index // self._size
            name, images = self._name(target, number), 0
            with ExitStack() as stack:
                partial = stack.enter_context(PartialFile(self._folder / name, keep=False))
                partial.go_on_at(0)
                shard = self._open(partial.out)
                stack.callback(shard.abandon)
                while sample and sample.entry.index // self._size == number:
                    shard.add(sample)
                    images += 1
                    yield 1
                    sample = next(samples, None)
                shard.close()
                partial.finish()
                self._note(name, images, partial.file.tell())
            self.counts.images += images

    def _after_task(self, target: Target, kept: set[str]) -> int | None:
        """Shards at the beginning that are whole need not even have their records read."""
        number = 0
        while self._name(target, number) in kept:
            number += 1
        first_task = number * self._size // self._source.manifest.images_per_task
        return first_task - 1 if first_task else None

    def _is_whole(self, name: str) -> bool:
        number = int(name.removesuffix(f".{self._suffix}")[-6:])
        wanted = min(self._size, self._source.manifest.count - number * self._size)
        try:
            size_bytes = (self._folder / name).stat().st_size
        except OSError:
            return False
        return (self._shards[name]["images"], self._shards[name]["bytes"]) == (wanted, size_bytes)

    def _is_ours(self, name: str) -> bool:
        """Whether a shard is of one of the targets that are exported now."""
        job_id = self._source.manifest.job_id
        return any(name.startswith(f"{job_id}-{target}-") for target in self._source.targets)

    def _name(self, target: Target, number: int) -> str:
        return f"{self._source.manifest.job_id}-{target}-{number:06d}.{self._suffix}"

    def _note(self, name: str, images: int, size_bytes: int) -> None:
        self._shards[name] = {"images": images, "bytes": size_bytes}
        write_json(self._ledger_path, {**self._ledger, "shards": self._shards})

    def _read_ledger(self) -> None:
        manifest = self._source.store.read(manifest_name(self._source.manifest.job_id))
        self._ledger = {
            "schema": SCHEMA,
            "job_id": self._source.manifest.job_id,
            "format": self._form,
            "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
            "shard_size": self._size,
        }
        found = read_json(self._ledger_path) or read_json(self._old_ledger_path)
        differences = [key for key, value in self._ledger.items() if found and found.get(key) != value]
        if differences:
            raise ExportError(
                f"{self._folder} holds another export of this job ({differences[0]} was"
                f" {found.get(differences[0])!s:.80}): choose another folder, or the same {differences[0]}"
            )
        shards = found.get("shards")
        if isinstance(shards, dict):
            self._shards = {name: one for name, one in shards.items() if self._is_entry(name, one)}
        if self._old_ledger_path.exists():
            write_json(self._ledger_path, {**self._ledger, "shards": self._shards})
            self._old_ledger_path.unlink()

    def _is_entry(self, name: str, one: Any) -> bool:
        stem = name.removesuffix(f".{self._suffix}")
        numbers = isinstance(one, dict) and all(isinstance(one.get(key), int) for key in ("images", "bytes"))
        return numbers and stem != name and "/" not in name and stem[-6:].isdecimal()
