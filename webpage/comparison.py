"""The answer to "container or function?" for one job, made by `results.compare` every few seconds at most."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from results.compare import compare_job
from results.documents import Manifest
from webpage.job_progress import MAX_ROWS

if TYPE_CHECKING:
    from webpage.page import Page

FRESH_S: Final = 2.0
KEPT: Final = 64


class Comparisons:
    """Makes and keeps comparisons. Thread-safe; one is made at a time, since each reads every record."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}

    def of(self, page: Page, manifest: Manifest) -> dict[str, Any]:
        """See `comparison_view`."""
        with self._lock:
            made_at, view = self._kept.pop(manifest.job_id, (float("-inf"), {}))
            if time.monotonic() - made_at > FRESH_S:
                view = _compare(page, manifest)
                made_at = time.monotonic()
            self._kept[manifest.job_id] = (made_at, view)
            while len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
            return view


def comparison_view(page: Page, manifest: Manifest) -> dict[str, Any]:
    """Compare a job's targets.

    Returns:
        `comparison`, as `diptych results compare --json` prints it, or None and `why`.
    Raises:
        DocumentError: a record is damaged.
        StoreError: the store failed.
    """
    return page.comparisons.of(page, manifest)


def _compare(page: Page, manifest: Manifest) -> dict[str, Any]:
    if manifest.task_count > MAX_ROWS:
        command = f"diptych results compare {manifest.job_id}"
        return {
            "comparison": None,
            "why": f"{manifest.task_count:,} tasks are many: `{command}` reads them all",
        }
    return {"comparison": compare_job(page.store, manifest.job_id).model_dump(mode="json"), "why": ""}
