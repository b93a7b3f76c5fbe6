"""Opens the store that a URL names: the table of the kinds of stores that there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from results.errors import StoreError
from results.stores.base import Store


def _open_directory(url: str, must_exist: bool) -> Store:
    from results.stores.directory import DirectoryStore

    return DirectoryStore.from_url(url, must_exist=must_exist)


def _open_gcs(url: str, must_exist: bool) -> Store:  # noqa: ARG001 (a bucket is never made by writing to it)
    from results.stores.gcs import GcsStore

    return GcsStore.from_url(url)


@dataclass(frozen=True, slots=True)
class StoreKind:
    """A kind of store.

    Args:
        form: of its URLs, for messages and help.
        open: makes one of a URL, and of whether it must exist; imports what it needs only then.
    """

    form: str
    open: Callable[[str, bool], Store]


STORE_KINDS: Final[Mapping[str, StoreKind]] = {
    "file": StoreKind("/absolute/path", _open_directory),
    "gs": StoreKind("gs://bucket/prefix", _open_gcs),
}
"""By the scheme of their URLs."""
STORE_FORMS: Final = " or ".join(kind.form for kind in STORE_KINDS.values())


def url_of_store(text: str) -> str:
    """The URL of a store that a user names: `/absolute/path` and `~/path` are folders, the rest is a URL."""
    if not text.startswith(("/", "~/")):
        return text
    return Path(os.path.normpath(Path(text).expanduser())).as_uri()


def open_store(url: str, *, must_exist: bool = False) -> Store:
    """Open `file:///absolute/path` or `gs://bucket[/prefix]`. No request is made yet.

    `gs://bucket/prefix?endpoint=http://host:port` is one in an emulator.

    Args:
        url: where it is.
        must_exist: a folder that is not there has vanished, and is not made anew.
    Raises:
        StoreError: the URL is of no kind in STORE_KINDS.
    """
    url = url_of_store(url)
    scheme, separator, _ = url.partition("://")
    if separator and scheme in STORE_KINDS:
        return STORE_KINDS[scheme].open(url, must_exist)
    raise StoreError(f"bad store URL {url[:200]!r}: use {STORE_FORMS}", transient=False)
