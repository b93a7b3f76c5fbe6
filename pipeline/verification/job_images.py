"""Which of a job's pictures to verify, and what their records say of them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Final

from pipeline.verification.verifier import Candidate
from results.documents import Manifest, load
from results.errors import DocumentError, ObjectNotFound
from results.naming import image_name, record_name, records_prefix
from results.parallel import map_in_order
from results.record import ImageEntry, Record
from results.stores.base import Store
from results.targets import Target

_RECORD: Final = re.compile(r"([0-9]{6})\.json")
_READ_AHEAD: Final = 8
"""Pictures read at once: they are generated one after the other anyway."""


@dataclass
class JobPictures:
    """The pictures of a job's finished tasks: all of them, or a sample. Iterate once, with `candidates`.

    Args:
        store: where the job is.
        manifest: the job's.
        targets: whose pictures.
        sample: so many of them, of all targets together; None: all.
        seed: of the sample: the same job, seed and number give the same pictures.
    """

    store: Store
    manifest: Manifest
    targets: Sequence[Target]
    sample: int | None = None
    seed: int = 0
    damaged: list[str] = field(default_factory=list)
    """Records that could not be read, in words: their pictures were not looked at."""
    unfinished: int = 0
    """Tasks that have no record."""
    total: int = 0
    """Pictures that will come."""

    def candidates(self) -> Iterator[Candidate]:
        """Yield the pictures, target by target, in order.

        Raises:
            StoreError: the store failed.
        """
        chosen = self._choose()
        self.total = sum(len(indices) for _, _, indices in chosen)
        wanted = map_in_order(lambda task: self._record(*task), chosen, threads=_READ_AHEAD)
        pictures = (
            (record, entry)
            for record, indices in wanted
            if record
            for entry in record.images
            if entry.index in indices
        )
        yield from map_in_order(lambda picture: self._candidate(*picture), pictures, threads=_READ_AHEAD)

    def _choose(self) -> list[tuple[Target, int, range | frozenset[int]]]:
        """Tasks, and which of their images."""
        tasks = [(target, task) for target in self.targets for task in self._finished(target)]
        self.unfinished = len(self.targets) * self.manifest.task_count - len(tasks)
        if self.sample is None:
            return [(target, task, self.manifest.task_range(task)) for target, task in tasks]
        ends = [*accumulate(len(self.manifest.task_range(task)) for _, task in tasks)]
        total = ends[-1] if ends else 0
        chosen: dict[int, set[int]] = {}
        for position in sorted(Random(self.seed).sample(range(total), min(self.sample, total))):
            number = bisect_right(ends, position)
            indices = self.manifest.task_range(tasks[number][1])
            chosen.setdefault(number, set()).add(indices[position - ends[number] + len(indices)])
        return [(*tasks[number], frozenset(indices)) for number, indices in chosen.items()]

    def _finished(self, target: Target) -> Iterator[int]:
        prefix = records_prefix(self.manifest.job_id, target)
        for info in self.store.list(prefix):
            match = _RECORD.fullmatch(info.name, len(prefix))
            if match and int(match[1]) < self.manifest.task_count:
                yield int(match[1])

    def _record(
        self, target: Target, task: int, indices: range | frozenset[int]
    ) -> tuple[Record | None, range | frozenset[int]]:
        name = record_name(self.manifest.job_id, target, task)
        try:
            record = load(Record, self.store.read(name), name)
        except (DocumentError, ObjectNotFound) as error:
            self.damaged.append(str(error))
            return None, indices
        missing = len(set(indices) - {entry.index for entry in record.images})
        if missing or record.target != target:
            self.damaged.append(f"{name} does not list all images of its task: it was changed")
        return record, indices

    def _candidate(self, record: Record, entry: ImageEntry) -> Candidate:
        name = image_name(self.manifest.job_id, record.target, entry.index)
        try:
            png: bytes | None = self.store.read(name)
        except ObjectNotFound:
            png = None
        return Candidate(name, png, record, entry)
