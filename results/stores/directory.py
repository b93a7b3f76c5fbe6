"""The store in a local directory: one file per object, written whole, durable and once.

An object is written to `<root>/.tmp/`, flushed to disk and then hard-linked to its name: the link is
atomic and fails if the name is taken, so a reader sees a whole object or none, and of several
writers exactly one wins.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from results.errors import ObjectExists, ObjectNotFound, StoreError, StoreVanished
from results.stores.base import ObjectInfo, Progress
from results.stores.directory_errors import reading_error, refuse_links, writing_error
from results.stores.file_placement import in_folder, place
from results.stores.object_names import HIDDEN_FOLDER, check_object_name, check_prefix

STALE_TEMP_S: Final = 24 * 3600.0
"""Temporary files of that age belong to a writer that died."""

WRITE_BYTES: Final = 4 * 1024 * 1024
"""Written at a time, so that the progress of a large object can be told."""


class DirectoryStore:
    """Objects as files below one folder, which is made at the first write.

    A folder that was there once and vanishes (moved away, unmounted) is not made anew: every call fails,
    transiently, until it is back.

    Args:
        root: absolute path of that folder.
        must_exist: it was there before: it is not ours to make.
    """

    def __init__(self, root: Path, *, must_exist: bool = False) -> None:
        self._root = root
        self._was_there = must_exist
        self._vanished()

    @classmethod
    def from_url(cls, url: str, *, must_exist: bool = False) -> DirectoryStore:
        """Open `file:///absolute/path`. Raises StoreError if the URL is not of that form."""
        parts = urlsplit(url)
        path = unquote(parts.path)
        local = parts.scheme == "file" and parts.netloc in ("", "localhost")
        if not local or not path.startswith("/") or "\0" in path or parts.query or parts.fragment:
            raise StoreError(
                f"bad store URL {url[:200]!r}: use file:///absolute/path (%23 for #, %3F for ?)",
                transient=False,
            )
        return cls(Path(os.path.normpath(path)), must_exist=must_exist)

    @property
    def url(self) -> str:
        """`file:///…`, without a trailing slash."""
        return self._root.as_uri().rstrip("/")

    @property
    def is_local(self) -> bool:
        """See Store."""
        return True

    @property
    def root(self) -> Path:
        """The folder."""
        return self._root

    def create(
        self,
        name: str,
        data: bytes,
        content_type: str,  # noqa: ARG002 (the Protocol's)
        progress: Progress | None = None,
    ) -> ObjectInfo:
        """Create an object, whole and durable, if there is none of that name (see `Store.create`)."""
        path = self._path(name)
        try:
            temp, status = self._write_temp(data, progress)
            try:
                place(temp, path)
            finally:
                temp.unlink(missing_ok=True)
        except FileExistsError as error:
            raise ObjectExists(name) from error
        except OSError as error:
            raise writing_error(error, name, self._root) from error
        return _info(name, status)

    def read(self, name: str) -> bytes:
        """Return an object's content. Raises ObjectNotFound."""
        path = self._path(name)
        try:
            with open(path, "rb", opener=lambda file, flags: os.open(file, flags | os.O_NOFOLLOW)) as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise ObjectNotFound(name) from error
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise ObjectNotFound(name) from error
            raise reading_error(error, name, self._root) from error

    def stat(self, name: str) -> ObjectInfo | None:
        """Return what is known of an object, or None if there is none."""
        path = self._path(name)
        try:
            status = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise reading_error(error, name, self._root) from error
        return _info(name, status) if S_ISREG(status.st_mode) else None

    def find(self, names: Sequence[str]) -> dict[str, ObjectInfo]:
        """Return those of `names` that exist."""
        found = ((name, self.stat(name)) for name in names)
        return {name: info for name, info in found if info is not None}

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[ObjectInfo]:
        """Yield the objects below `prefix` in lexicographic order; holds one folder's names at a time."""
        check_prefix(prefix)
        return self._walk(prefix, after)

    def list_folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders directly below `prefix`, in order."""
        check_prefix(prefix)
        return (entry[:-1] for entry in self._entries(prefix) if entry.endswith("/"))

    def delete(self, name: str) -> None:
        """Delete an object, and the folders that this leaves empty."""
        path = self._path(name)
        try:
            path.unlink(missing_ok=True)
        except NotADirectoryError:
            return
        except OSError as error:
            raise writing_error(error, name, self._root) from error
        for folder in path.parents:
            try:
                if folder == self._root:
                    return
                folder.rmdir()
            except OSError:
                # Not empty, or another delete was quicker: either way it is not ours to remove.
                return

    def check(self) -> None:
        """Write and remove a probe; clear temporary files that a dead writer left more than a day ago."""
        self._require_root()
        try:
            probe, _ = self._write_temp(b"probe\n")
            probe.unlink()
            for path in (self._root / HIDDEN_FOLDER).iterdir():
                # Another writer may just have placed it, and so be done with it.
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < time.time() - STALE_TEMP_S:
                        path.unlink()
        except OSError as error:
            raise writing_error(error, f"{HIDDEN_FOLDER}/", self._root) from error

    def _require_root(self) -> None:
        if self._vanished():
            raise StoreVanished(str(self._root))

    def _vanished(self) -> bool:
        """True if the folder was there and is not."""
        is_there = self._root.is_dir()
        self._was_there = self._was_there or is_there
        return self._was_there and not is_there

    def _path(self, name: str) -> Path:
        self._require_root()
        check_object_name(name)
        refuse_links(self._root, name)
        return self._root / name

    def _write_temp(self, data: bytes, progress: Progress | None = None) -> tuple[Path, os.stat_result]:
        """Write `data`, durable, to a file of its own in the root's file system."""
        path = self._root / HIDDEN_FOLDER / f"{os.getpid()}-{uuid4().hex}"
        try:
            with in_folder(path, lambda: path.open("xb", buffering=0)) as file:
                view = memoryview(data)
                while view:
                    view = view[file.write(view[:WRITE_BYTES]) :]
                    if progress:
                        progress(len(data) - len(view))
                os.fsync(file.fileno())
                # The creation time is when the object appears, not when its writing began.
                os.utime(file.fileno())
                return path, os.fstat(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise

    def _walk(self, prefix: str, after: str | None) -> Iterator[ObjectInfo]:
        for entry in self._entries(prefix):
            name = prefix + entry
            if entry.endswith("/"):
                # A folder is passed over if all that can be in it is not beyond `after`.
                if after is None or name > after or after.startswith(name):
                    yield from self._walk(name, after)
            elif after is None or name > after:
                info = self.stat(name)
                if info is not None:
                    yield info

    def _entries(self, prefix: str) -> Sequence[str]:
        """A folder's entries, folders with "/" at the end: sorting those sorts the full names too."""
        refuse_links(self._root, prefix)
        try:
            with os.scandir(self._root / prefix) as entries:
                own = [entry for entry in entries if not entry.is_symlink()]
                names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in own]
        except (FileNotFoundError, NotADirectoryError):
            self._require_root()
            return []
        except OSError as error:
            raise reading_error(error, prefix, self._root) from error
        if not prefix:
            names = [name for name in names if name != f"{HIDDEN_FOLDER}/"]
        return sorted(names)


def _info(name: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(name, status.st_size, datetime.fromtimestamp(status.st_mtime_ns / 1e9, UTC))
