"""A file that is written under another name until it is whole, and its journal: where to go on."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final, Self

from results.export.samples import ExportError
from results.file_lock import NoFileLocks, try_lock

if TYPE_CHECKING:
    from typing_extensions import Buffer

SUFFIX: Final = ".partial"
JOURNAL_SUFFIX: Final = ".partial.json"


class PartialFile:
    """`<name>.partial`, locked while it is open; `finish` gives it its own name. Use it in a `with` block.

    Args:
        path: the file's own name.
        keep: keep what was written if the block is left early; False: it is removed.
    Raises:
        ExportError: another process is writing it.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, *, keep: bool) -> None:
        self.path = path
        self.partial = path.with_name(path.name + SUFFIX)
        self._keep = keep
        path.parent.mkdir(parents=True, exist_ok=True)
        opened, new = _open(self.partial)
        # Unbuffered: what was written counts, and closing after a full disk has nothing left to write.
        self.file: IO[bytes] = os.fdopen(opened, "r+b", buffering=0)
        self.out = WholeWriter(self.file)
        try:
            _lock(opened, self.partial, new=new)
        except ExportError:
            self.file.close()
            raise
        except OSError:
            self.file.close()
            if new:
                self.partial.unlink(missing_ok=True)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind and not self._keep:
            self.partial.unlink(missing_ok=True)
        self.file.close()

    def write(self, data: bytes) -> None:
        """Write all of `data`."""
        self.out.write(data)

    def go_on_at(self, size_bytes: int) -> None:
        """Drop what was written beyond that size. Raises ValueError if there is less."""
        if self.file.seek(0, os.SEEK_END) < size_bytes:
            raise ValueError("the partial file is shorter than its journal says")
        self.file.truncate(size_bytes)
        self.file.seek(size_bytes)

    def sync(self) -> int:
        """Make what was written durable, and return its size."""
        os.fsync(self.file.fileno())
        return self.file.tell()

    def finish(self) -> None:
        """Give the file its own name, in place of an older one."""
        self.sync()
        self.partial.replace(self.path)


class WholeWriter(io.RawIOBase):
    """Writes all that it is given, where an unbuffered file may take less; closing it closes nothing else.

    Args:
        file: unbuffered.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data).cast("B")
        size = len(view)
        while view:
            view = view[self._file.write(view) :]
        return size

    def tell(self) -> int:
        return self._file.tell()


def _open(path: Path) -> tuple[int, bool]:
    """Open a file, made if need be; True if it is ours alone, since it was made just now."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True
    except FileExistsError:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666), False


def _lock(opened: int, partial: Path, *, new: bool) -> None:
    """Lock an open file.

    Raises:
        ExportError: another process has it, or has just finished it under its own name, or nobody can tell.
    """
    with suppress(FileNotFoundError):
        try:
            if try_lock(opened) and partial.stat().st_ino == os.fstat(opened).st_ino:
                return
        except NoFileLocks as error:
            if new:
                return  # without locks it is still ours: whoever comes next finds it there, and ends here
            raise ExportError(
                f"{partial} is there, and {error.strerror}: remove it if no other export is writing it, or"
                " name an output on another disk"
            ) from error
    path = partial.with_name(partial.name.removesuffix(SUFFIX))
    raise ExportError(f"another export is writing {path}: wait for it, or name another output")


def read_json(path: Path) -> dict[str, Any]:
    """Read a small JSON object; {} if there is none, or it is damaged: then an export starts over."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a small JSON object, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
