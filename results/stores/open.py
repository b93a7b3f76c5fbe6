"""Opens the store that a URL names."""

from __future__ import annotations

from results.errors import StoreError
from results.stores.base import Store


def open_store(url: str, *, must_exist: bool = False) -> Store:
    """Open `file:///absolute/path` or `gs://bucket[/prefix]`. No request is made yet.

    `gs://bucket/prefix?endpoint=http://host:port` is one in an emulator.

    Args:
        url: where it is.
        must_exist: a folder that is not there has vanished, and is not made anew.
    Raises:
        StoreError: the URL is of neither form.
    """
    if url.startswith("file://"):
        from results.stores.directory import DirectoryStore

        return DirectoryStore.from_url(url, must_exist=must_exist)
    if url.startswith("gs://"):
        from results.stores.gcs import GcsStore

        return GcsStore.from_url(url)
    raise StoreError(
        f"bad store URL {url[:200]!r}: use file:///absolute/path or gs://bucket/prefix",
        transient=False,
    )
