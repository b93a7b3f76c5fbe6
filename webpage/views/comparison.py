"""The answer to "container or function?": of one job, or of all jobs like it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from results.comparison.compare import ComparisonError, check_alike, compare, compare_job, read_trials
from results.documents import Manifest
from results.job_state import JobStatus
from webpage.views.task_row import MAX_ROWS

if TYPE_CHECKING:
    from webpage.app_state import AppState

FRESH_S: Final = 2.0
KEPT: Final = 64
MAX_TRIALS: Final = 60
"""The latest so many: each is read as a whole."""


class Comparisons:
    """Keeps comparisons for a moment. Thread-safe; one is made at a time, since each reads every record."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, ...], tuple[float, dict[str, Any]]] = {}

    def get_or_make(self, key: tuple[str, ...], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what was made of these jobs a moment ago, or make it."""
        with self._lock:
            made_at, view = self._kept.pop(key, (float("-inf"), {}))
            if time.monotonic() - made_at > FRESH_S:
                view = make()
                made_at = time.monotonic()
            self._kept[key] = (made_at, view)
            while len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
            return view


def comparison_view(page: AppState, manifest: Manifest) -> dict[str, Any]:
    """Compare a job's targets.

    Returns:
        `comparison`, as `diptych results compare --json` prints it, or None and `why`.
    Raises:
        DocumentError: a manifest is damaged. Damaged records are counted in it instead.
        StoreError: the store failed.
    """
    if manifest.task_count > MAX_ROWS:
        command = f"diptych results compare {manifest.job_id}"
        why = f"{manifest.task_count:,} tasks are many: `{command}` reads them all"
        return {"comparison": None, "why": why}

    def make() -> dict[str, Any]:
        compared = compare_job(page.store, manifest.job_id)
        return {"comparison": compared.model_dump(mode="json"), "why": ""}

    return page.comparisons.get_or_make((manifest.job_id,), make)


def trials_view(page: AppState, manifest: Manifest, *, with_comparison: bool) -> dict[str, Any]:
    """Find the jobs that are trials of one another with this one, and compare them all.

    Args:
        with_comparison: read and compare them, not only count them.
    Returns:
        `count`, this job included, and `comparison`, or None.
    Raises:
        DocumentError: a manifest is damaged. Damaged records are counted in it instead.
        StoreError: the store failed.
    """
    jobs = _alike(page, manifest)
    if not with_comparison or len(jobs) < 2:
        return {"count": len(jobs), "comparison": None}

    def make() -> dict[str, Any]:
        compared = compare(page.store, read_trials(page.store, jobs))
        return {"count": len(jobs), "comparison": compared.model_dump(mode="json")}

    return page.comparisons.get_or_make(tuple(jobs), make)


def _alike(page: AppState, manifest: Manifest) -> Sequence[str]:
    """This job, and the latest that were asked for alike and have all their images."""
    room = max(1, min(MAX_TRIALS, MAX_ROWS // manifest.task_count)) - 1
    others = (other for other in page.jobs.latest() if other.job_id != manifest.job_id)
    alike = (other for other in others if _are_alike(manifest, other))
    done = (other.job_id for other in alike if page.jobs.status(other) == JobStatus.SUCCEEDED)
    return [manifest.job_id, *islice(done, room)]


def _are_alike(one: Manifest, other: Manifest) -> bool:
    try:
        check_alike([one, other])
    except ComparisonError:
        return False
    return True
