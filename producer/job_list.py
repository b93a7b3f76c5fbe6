"""The jobs in a store, newest first."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from results.errors import ResultsError
from results.job_state import JobState, load_manifest
from results.naming import jobs_prefix
from results.stores.base import Store


@dataclass(frozen=True, slots=True)
class ListedJob:
    """One line of `diptych jobs`.

    Args:
        status: the job's status, or "unreadable".
        problem: why it cannot be read, or "".
    """

    job_id: str
    status: str
    submitted_at: datetime
    model: str = ""
    count: int = 0
    done: tuple[tuple[str, int], ...] = ()
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "job_id": self.job_id,
            "status": self.status,
            "submitted_at": self.submitted_at.isoformat() if not self.problem else None,
            "model": self.model,
            "count": self.count,
            "images_done": dict(self.done),
            "problem": self.problem,
        }

    def as_line(self) -> str:
        """As a line to print."""
        if self.problem:
            return f"{self.job_id:<44} {self.status:<10} {self.problem}"
        done = ", ".join(f"{target} {images:,}/{self.count:,}" for target, images in self.done)
        return f"{self.job_id:<44} {self.status:<10} {self.submitted_at:%Y-%m-%d %H:%M} UTC  {done}"


def latest_jobs(store: Store, limit: int) -> list[ListedJob]:
    """Read the newest jobs. One that cannot be read is listed as unreadable: it must not hide the others.

    Args:
        limit: maximum number; every manifest is read, but only these jobs' records are listed.
    Raises:
        StoreError: the store cannot be listed.
    """
    jobs = [_open(store, job_id) for job_id in store.list_folders(jobs_prefix())]
    latest = heapq.nlargest(limit, jobs, key=_submitted_at)
    return [job if isinstance(job, ListedJob) else _summary(job) for job in latest]


def _open(store: Store, job_id: str) -> JobState | ListedJob:
    try:
        return JobState(store, load_manifest(store, job_id))
    except (ResultsError, ValueError) as error:
        return _unreadable(job_id, error)


def _submitted_at(job: JobState | ListedJob) -> datetime:
    return job.submitted_at if isinstance(job, ListedJob) else job.manifest.submitted_at


def _summary(state: JobState) -> ListedJob:
    manifest = state.manifest
    try:
        state.refresh()
    except ResultsError as error:
        return _unreadable(manifest.job_id, error)
    done = tuple((target, part.counts().images_done) for target, part in state.targets.items())
    return ListedJob(
        manifest.job_id, str(state.status), manifest.submitted_at, manifest.model, manifest.count, done
    )


def _unreadable(job_id: str, error: Exception) -> ListedJob:
    return ListedJob(job_id, "unreadable", datetime.min.replace(tzinfo=UTC), problem=str(error))
