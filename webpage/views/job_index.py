"""The list of jobs with its filters. Manifests never change: they are read once."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, Final

from results.documents import Manifest
from results.errors import ResultsError
from results.job_state import JobState, JobStatus, load_manifest
from results.naming import jobs_prefix
from results.parallel import map_in_order
from results.stores.base import Store

FRESH_S: Final = 2.0
"""The list of names is asked of the store once in so many seconds, however many pages are open."""
ENDED_FRESH_S: Final = 30.0
"""The same for a job that ended with failures: `diptych retry` may revive it."""
UNREADABLE: Final = "unreadable"

_FINAL: Final = frozenset({JobStatus.SUCCEEDED, JobStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; None lets everything through.

    Args:
        text: must be part of the job's name.
        outcome: a JobStatus, or "unreadable".
        first_day: of submission, UTC; likewise the last, included.
    """

    text: str | None = None
    model: str | None = None
    seed: int | None = None
    target: str | None = None
    outcome: str | None = None
    first_day: date | None = None
    last_day: date | None = None

    def admits(self, manifest: Manifest) -> bool:
        """True if the manifest passes; the outcome is not in it."""
        day = manifest.submitted_at.astimezone(UTC).date()
        return (
            (self.text is None or self.text in manifest.job_id)
            and (self.model is None or manifest.model == self.model)
            and (self.seed is None or manifest.seed == self.seed)
            and (self.target is None or self.target in manifest.targets)
            and (self.first_day is None or day >= self.first_day)
            and (self.last_day is None or day <= self.last_day)
        )

    @property
    def admits_unreadable(self) -> bool:
        """Of a manifest that cannot be read only the name is known."""
        others = (self.model, self.seed, self.target, self.first_day, self.last_day)
        return all(value is None for value in others) and self.outcome in (None, UNREADABLE)


@dataclass(frozen=True, slots=True)
class _Summary:
    view: dict[str, Any]
    until: float


class JobIndex:
    """All jobs of a store. Thread-safe.

    Args:
        store: where they are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._listed_at = float("-inf")
        self._manifests: dict[str, Manifest] = {}
        self._problems: dict[str, str] = {}
        self._summaries: dict[str, _Summary] = {}

    def find(self, job_filter: JobFilter, *, offset: int, limit: int) -> dict[str, Any]:
        """List jobs, the latest first.

        Args:
            offset: leave out so many.
            limit: at most so many.
        Returns:
            `jobs`, the number of all that pass the filter (`total`; None if more would have to be looked
            at to know), `more`, and the `models` there are.
        Raises:
            StoreError: the store cannot be listed.
        """
        manifests, problems = self._refreshed()
        admitted = [*filter(job_filter.admits, manifests)]
        bad = [
            name
            for name in sorted(problems)
            if job_filter.admits_unreadable and (job_filter.text or "") in name
        ]
        models = sorted({manifest.model for manifest in manifests})
        if job_filter.outcome is None:
            shown = [*self._views(admitted[offset : offset + limit])]
            if len(shown) < limit:
                first = max(0, offset - len(admitted))
                shown += [
                    _unreadable(name, problems[name]) for name in bad[first : first + limit - len(shown)]
                ]
            total = len(admitted) + len(bad)
            return {"jobs": shown, "total": total, "more": offset + limit < total, "models": models}
        if job_filter.outcome == UNREADABLE:
            shown = [_unreadable(name, problems[name]) for name in bad[offset : offset + limit]]
            return {"jobs": shown, "total": len(bad), "more": offset + limit < len(bad), "models": models}
        matching = self._with_outcome(admitted, job_filter.outcome, offset + limit + 1)[offset:]
        return {"jobs": matching[:limit], "total": None, "more": len(matching) > limit, "models": models}

    def latest(self) -> list[Manifest]:
        """All jobs whose manifests can be read, the latest first. Raises StoreError."""
        return self._refreshed()[0]

    def renew(self) -> None:
        """Ask the store for the list of names at the next question: there is a job that it may not have."""
        with self._lock:
            self._listed_at = float("-inf")

    def status(self, manifest: Manifest) -> str:
        """A job in one word."""
        return str(self._view(manifest)["status"])

    def _with_outcome(self, manifests: Sequence[Manifest], outcome: str, enough: int) -> list[dict[str, Any]]:
        matching = (view for view in self._views(manifests) if view["status"] == outcome)
        return [*islice(matching, enough)]

    def _views(self, manifests: Sequence[Manifest]) -> Any:
        return map_in_order(self._view, manifests, threads=4)

    def _view(self, manifest: Manifest) -> dict[str, Any]:
        kept = self._summaries.get(manifest.job_id)
        if kept and kept.until > time.monotonic():
            return kept.view
        state = JobState(self._store, manifest)
        try:
            state.refresh()
        except ResultsError as error:
            return _unreadable(manifest.job_id, str(error))
        view = _summary(state)
        if state.status.ended:
            keep_s = float("inf") if state.status in _FINAL else ENDED_FRESH_S
            self._summaries[manifest.job_id] = _Summary(view, time.monotonic() + keep_s)
        return view

    def _refreshed(self) -> tuple[list[Manifest], dict[str, str]]:
        """Read the manifests that are new. One thread does; the others wait for what it finds."""
        with self._lock:
            if time.monotonic() - self._listed_at > FRESH_S:
                names = [*self._store.list_folders(jobs_prefix())]
                self._manifests = {n: self._manifests[n] for n in names if n in self._manifests}
                self._problems = {}
                for name, manifest in map_in_order(
                    self._load, [n for n in names if n not in self._manifests]
                ):
                    if isinstance(manifest, Manifest):
                        self._manifests[name] = manifest
                    else:
                        self._problems[name] = manifest
                self._summaries = {n: s for n, s in self._summaries.items() if n in self._manifests}
                self._listed_at = time.monotonic()
            in_order = sorted(
                self._manifests.values(), key=lambda m: (m.submitted_at, m.job_id), reverse=True
            )
            return in_order, dict(self._problems)

    def _load(self, name: str) -> tuple[str, Manifest | str]:
        try:
            manifest = load_manifest(self._store, name)
        except (ResultsError, ValueError) as error:
            return name, str(error)
        if manifest.job_id != name:
            return (
                name,
                f"its manifest says that it is job {manifest.job_id}: the folder was renamed or copied",
            )
        return name, manifest


def _summary(state: JobState) -> dict[str, Any]:
    manifest = state.manifest
    return {
        "job_id": manifest.job_id,
        "status": str(state.status),
        "model": manifest.model,
        "seed": str(manifest.seed),  # beyond 2**53 JavaScript's numbers are not whole
        "count": manifest.count,
        "resolution": manifest.resolution,
        "submitted_at": _stamp(manifest.submitted_at),
        "version": job_version(manifest),
        "targets": {target: part.counts().images_done for target, part in state.targets.items()},
        "problem": "",
    }


def job_version(manifest: Manifest) -> str:
    """Part of the address of a job's images, so that browsers may keep them for ever."""
    return f"{manifest.submitted_at.astimezone(UTC):%Y%m%d%H%M%S%f}"


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _unreadable(name: str, problem: str) -> dict[str, Any]:
    return {"job_id": name[:200], "status": UNREADABLE, "problem": problem}
