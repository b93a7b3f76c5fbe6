"""A store that misbehaves on order, over a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from results.stores.base import ObjectInfo, Progress, Store


class FaultyStore:
    """Passes everything on to a real store; `on_create` may raise before an object is created.

    Args:
        inner: the real store.
        on_create: called with the object's name and data ahead of each create.
    """

    def __init__(self, inner: Store, on_create: Callable[[str, bytes], None]) -> None:
        self.inner = inner
        self.on_create = on_create

    @property
    def url(self) -> str:
        return self.inner.url

    @property
    def is_local(self) -> bool:
        return self.inner.is_local

    def create(
        self, name: str, data: bytes, content_type: str, progress: Progress | None = None
    ) -> ObjectInfo:
        self.on_create(name, data)
        return self.inner.create(name, data, content_type, progress)

    def read(self, name: str) -> bytes:
        return self.inner.read(name)

    def stat(self, name: str) -> ObjectInfo | None:
        return self.inner.stat(name)

    def find(self, names: Sequence[str]) -> dict[str, ObjectInfo]:
        return self.inner.find(names)

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[ObjectInfo]:
        return self.inner.list(prefix, after=after)

    def list_folders(self, prefix: str) -> Iterator[str]:
        return self.inner.list_folders(prefix)

    def delete(self, name: str) -> None:
        self.inner.delete(name)

    def check(self) -> None:
        self.inner.check()
