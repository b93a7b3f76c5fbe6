"""The state of a job: nothing but what the store holds, read from object names. Images are never listed."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Final

from results import naming
from results.documents import Manifest, PublishedChunk, load
from results.errors import DocumentError, JobNotFound, ObjectNotFound
from results.stores.base import Store
from results.target_state import TargetState
from results.targets import Target

_CHUNK: Final = re.compile(r"(\d{3})-(\d{6})-(\d{6})\.json")


class JobStatus(StrEnum):
    """A job in one word. The last four are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """True if nothing more will happen by itself."""
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


def load_manifest(store: Store, job_id: str) -> Manifest:
    """Read a job's manifest.

    Raises:
        ValueError: the name cannot be a job's.
        JobNotFound: there is no such job.
        DocumentError: the manifest is damaged.
        StoreError: the store cannot be read.
    """
    name = naming.manifest_name(job_id)
    try:
        manifest = load(Manifest, store.read(name), name)
    except ObjectNotFound as error:
        raise JobNotFound(job_id, store.url) from error
    if manifest.job_id != job_id:
        raise DocumentError(f"{name} says that it is job {manifest.job_id}: it has been moved or edited")
    return manifest


class JobState:
    """A job's tasks on all its targets. `refresh` again and again costs only what is new.

    Args:
        store: where the job is.
        manifest: the job's.
    """

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self.manifest = manifest
        self.cancelled = False
        self.targets: dict[Target, TargetState] = {
            target: TargetState(manifest, target) for target in manifest.targets
        }
        self._store = store
        self._chunks_seen: set[str] = set()
        self._highest_publication = 0
        self._last_published_at: datetime | None = None

    @classmethod
    def of(cls, store: Store, job_id: str) -> JobState:
        """Read the manifest and the present state; raises as `load_manifest`."""
        state = cls(store, load_manifest(store, job_id))
        state.refresh()
        return state

    def require(self) -> None:
        """Raise JobNotFound if somebody has removed the job; StoreError."""
        if self._store.stat(naming.manifest_name(self.manifest.job_id)) is None:
            raise JobNotFound(self.manifest.job_id, self._store.url)

    def refresh(self) -> None:
        """Read what has changed; raises StoreError or DocumentError."""
        self._read_published()
        for target in self.targets.values():
            target.refresh(self._store)
        if not self.cancelled:
            self.cancelled = self._store.stat(naming.cancelled_name(self.manifest.job_id)) is not None
        for target in self.targets.values():
            target.cancelled = self.cancelled

    @property
    def status(self) -> JobStatus:
        """The job in one word."""
        counts = [target.counts() for target in self.targets.values()]
        tasks = sum(count.tasks for count in counts)
        done = sum(count.done for count in counts)
        ended = sum(count.ended for count in counts)
        if done == tasks:
            return JobStatus.SUCCEEDED
        if self.cancelled:
            return JobStatus.CANCELLED
        if ended == tasks:
            return JobStatus.PARTIAL if done else JobStatus.FAILED
        return JobStatus.RUNNING if ended else JobStatus.QUEUED

    @property
    def last_progress_at(self) -> datetime | None:
        """The store's time of the last publication, record, failure or dead letter; None if there is none."""
        times = [target.last_progress_at for target in self.targets.values()]
        return max((time for time in [*times, self._last_published_at] if time), default=None)

    @property
    def published_at(self) -> datetime | None:
        """The store's time of the last acknowledged chunk; None if nothing was published."""
        return self._last_published_at

    def next_publication(self) -> int:
        """A number that no publication of this job has used. Only the first submission is 0."""
        seen = [target.highest_publication() for target in self.targets.values()]
        return max([self._highest_publication, *seen]) + 1

    def _read_published(self) -> None:
        prefix = naming.published_prefix(self.manifest.job_id)
        for info in self._store.list(prefix):
            match = _CHUNK.fullmatch(info.name, len(prefix))
            if not match or info.name in self._chunks_seen:
                continue
            publication, first, last = (int(group) for group in match.groups())
            for target in self._targets_of(info.name, publication):
                self.targets[target].mark_published(publication, range(first, last + 1))
            self._chunks_seen.add(info.name)
            self._highest_publication = max(self._highest_publication, publication)
            if self._last_published_at is None or info.created_at > self._last_published_at:
                self._last_published_at = info.created_at

    def _targets_of(self, name: str, publication: int) -> list[Target]:
        """The first submission is for all targets; only a later chunk must be read to know."""
        if publication == 0:
            return [*self.targets]
        chunk = load(PublishedChunk, self._store.read(name), name)
        return [target for target in chunk.targets if target in self.targets]
