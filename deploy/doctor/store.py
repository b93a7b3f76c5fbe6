"""The store: is it reachable and writable, is there disk space, do the clocks agree?"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from deploy.doctor.check import Check, fail, ok, skipped, warn
from results.errors import StoreError
from results.stores.base import local_folder
from results.stores.open import open_store

FULL_BYTES: Final = 200 * 2**20
SCARCE_BYTES: Final = 2 * 2**30
SKEW_WARN_S: Final = 2.0
"""HTTP dates have whole seconds: a smaller skew cannot be detected."""
SKEW_FAIL_S: Final = 30.0
"""Beyond this, tokens are rejected and round trips are meaningless."""
HTTP_LIMIT_S: Final = 10.0
GOOGLE_STORAGE: Final = "https://storage.googleapis.com/"

CLOCK: Final = "clock"
DISK: Final = "disk"
STORE: Final = "store"


def store_checks(url: str) -> Iterator[Check]:
    """All checks of a store.

    Args:
        url: its URL; "" if none is configured.
    """
    if not url:
        yield skipped(STORE, "none is configured: --store, DIPTYCH_STORE_URL, or a stack (`diptych up`)")
        return
    try:
        store = open_store(url)
        store.check()
    except StoreError as error:
        yield fail(STORE, str(error))
        yield skipped(CLOCK, "the store cannot be used")
        return
    yield ok(STORE, f"{store.url} is writable")
    folder = local_folder(store)
    if folder:
        yield disk_check(folder)
    yield clock_check(_folder_skew_s(folder) if folder else _http_skew_s(_endpoint(url)))


def disk_check(folder: Path) -> Check:
    """Check the free space of a folder's disk."""
    try:
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        return fail(DISK, f"{folder}: {error.strerror}")
    text = f"{free_bytes / 2**30:,.1f} GiB free at {folder}"
    if free_bytes < FULL_BYTES:
        return fail(DISK, f"{text}: images will not fit")
    return warn(DISK, text) if free_bytes < SCARCE_BYTES else ok(DISK, text)


def clock_check(skew_s: float | str) -> Check:
    """Check how far the store's clock is ahead of ours, in seconds; a text is why it is unknown."""
    if isinstance(skew_s, str):
        return skipped(CLOCK, skew_s)
    text = f"the store's clock is {abs(skew_s):.1f} s {'ahead' if skew_s > 0 else 'behind'}"
    mend = "sudo timedatectl set-ntp true"
    if abs(skew_s) > SKEW_FAIL_S:
        return fail(CLOCK, f"{text}: round trips are wrong by that, and tokens are rejected", mend)
    if abs(skew_s) > SKEW_WARN_S:
        return warn(CLOCK, f"{text}: round trips are wrong by that", mend)
    return ok(CLOCK, f"the clocks of the store and of this machine agree within {SKEW_WARN_S:g} s")


def _folder_skew_s(folder: Path) -> float | str:
    """Compare a new file's time with ours: a file server uses its own clock."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".clock-") as probe:
            return Path(probe.name).stat().st_mtime - time.time()
    except OSError as error:
        return f"cannot create a file in {folder}: {error.strerror}"


def _http_skew_s(url: str) -> float | str:
    import requests

    before = time.time()
    try:
        response = requests.get(url, timeout=HTTP_LIMIT_S, allow_redirects=False)
        theirs = parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (requests.RequestException, KeyError, ValueError) as error:
        return f"{url} sent no date ({type(error).__name__})"
    # The date is truncated to whole seconds: add half a second on average.
    return theirs + 0.5 - (before + time.time()) / 2


def _endpoint(url: str) -> str:
    """URL of the storage server: the emulator that the store URL names, or Google."""
    import os

    query = urlsplit(url).query
    named = query.removeprefix("endpoint=") if query.startswith("endpoint=") else ""
    return named or os.environ.get("STORAGE_EMULATOR_HOST", "") or GOOGLE_STORAGE
