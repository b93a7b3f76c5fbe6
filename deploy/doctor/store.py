"""The store: can it be reached and written, is there room, do its clock and ours agree."""

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
"""An HTTP date has whole seconds: less than this cannot be told from none."""
SKEW_FAIL_S: Final = 30.0
"""Tokens are refused, and round trips are nonsense."""
HTTP_LIMIT_S: Final = 10.0
GOOGLE_STORAGE: Final = "https://storage.googleapis.com/"

CLOCK: Final = "clock"
DISK: Final = "disk"
STORE: Final = "store"


def store_checks(url: str) -> Iterator[Check]:
    """All checks of a store.

    Args:
        url: its URL, or "" if none is configured.
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
    yield ok(STORE, f"{store.url} can be written")
    folder = local_folder(store)
    if folder:
        yield disk_check(folder)
    yield clock_check(_folder_skew_s(folder) if folder else _http_skew_s(_endpoint(url)))


def disk_check(folder: Path) -> Check:
    """Room on the disk that a folder is on."""
    try:
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        return fail(DISK, f"{folder}: {error.strerror}")
    text = f"{free_bytes / 2**30:,.1f} GiB free at {folder}"
    if free_bytes < FULL_BYTES:
        return fail(DISK, f"{text}: images will not fit")
    return warn(DISK, text) if free_bytes < SCARCE_BYTES else ok(DISK, text)


def clock_check(skew_s: float | str) -> Check:
    """Judge how far the store's clock is ahead of ours, in seconds; a text says why that is not known."""
    if isinstance(skew_s, str):
        return skipped(CLOCK, skew_s)
    text = f"the store's clock is {abs(skew_s):.1f} s {'ahead' if skew_s > 0 else 'behind'}"
    mend = "sudo timedatectl set-ntp true"
    if abs(skew_s) > SKEW_FAIL_S:
        return fail(CLOCK, f"{text}: round trips are wrong by that, and tokens are refused", mend)
    if abs(skew_s) > SKEW_WARN_S:
        return warn(CLOCK, f"{text}: round trips are wrong by that", mend)
    return ok(CLOCK, f"the store's and ours agree within {SKEW_WARN_S:g} s")


def _folder_skew_s(folder: Path) -> float | str:
    """A file server gives files its own time."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".clock-") as probe:
            return Path(probe.name).stat().st_mtime - time.time()
    except OSError as error:
        return f"no file can be made in {folder}: {error.strerror}"


def _http_skew_s(url: str) -> float | str:
    import requests

    before = time.time()
    try:
        answer = requests.get(url, timeout=HTTP_LIMIT_S, allow_redirects=False)
        theirs = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (requests.RequestException, KeyError, ValueError) as error:
        return f"{url} told no time ({type(error).__name__})"
    # The date is cut to whole seconds: half of one is the best guess for the rest.
    return theirs + 0.5 - (before + time.time()) / 2


def _endpoint(url: str) -> str:
    """Where a bucket is served: the emulator that the URL names, or Google."""
    import os

    query = urlsplit(url).query
    named = query.removeprefix("endpoint=") if query.startswith("endpoint=") else ""
    return named or os.environ.get("STORAGE_EMULATOR_HOST", "") or GOOGLE_STORAGE
