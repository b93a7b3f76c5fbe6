"""The Protocol that a directory and a bucket both fulfil."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

Progress = Callable[[int], None]
"""Told how many bytes are through so far; after a failed try it may fall back."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store knows of an object without reading it.

    Args:
        name: full object name below the store's root or prefix, e.g. "jobs/a/job.json".
        size_bytes: length of its content.
        created_at: the store's own creation time, timezone-aware UTC.
    """

    name: str
    size_bytes: int
    created_at: datetime


class Store(Protocol):
    """Named, write-once objects. Every method raises StoreError, with `transient` set right."""

    @property
    def url(self) -> str:
        """`file:///…` or `gs://bucket/prefix`, without a trailing slash."""
        ...

    @property
    def is_local(self) -> bool:
        """True if its objects are files on this machine, below the path of its URL."""
        ...

    def create(
        self, name: str, data: bytes, content_type: str, progress: Progress | None = None
    ) -> ObjectInfo:
        """Create an object, whole and durable, if there is none of that name.

        Args:
            name: the object's name.
            data: its content.
            content_type: its media type, for stores that keep one.
            progress: told now and then how much is written; for content of many megabytes.
        Raises:
            ObjectExists: there is one already; it is left as it is.
            StoreError: anything else.
        """
        ...

    def read(self, name: str) -> bytes:
        """Return an object's content. Raises ObjectNotFound."""
        ...

    def stat(self, name: str) -> ObjectInfo | None:
        """Return what is known of an object, or None if there is none."""
        ...

    def find(self, names: Sequence[str]) -> dict[str, ObjectInfo]:
        """Return those of `names` that exist. Cheap where the names are neighbours in one prefix."""
        ...

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[ObjectInfo]:
        """Yield objects whose name starts with `prefix`, in lexicographic order.

        Args:
            prefix: ends with "/"; everything below it is listed, however deep. Checked at the call.
            after: yield only names greater than this full name.
        """
        ...

    def list_folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders directly below `prefix` (without slashes), in order."""
        ...

    def delete(self, name: str) -> None:
        """Delete an object; none of that name is no error. Only ever at the user's explicit wish."""
        ...

    def check(self) -> None:
        """Raise StoreError, with words a user can act on, unless the store can be written to."""
        ...


def local_folder(store: Store) -> Path | None:
    """The folder that a local store's objects are in; None for a store elsewhere."""
    return Path(unquote(urlsplit(store.url).path)) if store.is_local else None
