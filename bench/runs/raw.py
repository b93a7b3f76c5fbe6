"""The raw file of a run: CSV, a row per request, written as it goes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from bench.errors import DiskFull

FLUSH_S: Final = 0.5

Value = str | int | float | None


class RawLog:
    """Rows of fixed columns. What a kill can take is what came in the last FLUSH_S seconds.

    Args:
        path: of the file; it is made.
        columns: names.
        file: stands in for the file (tests).
    """

    def __init__(self, path: Path, columns: Sequence[str], file: BinaryIO | None = None) -> None:
        self.path = path
        self.columns = tuple(columns)
        self.rows = 0
        self._file: BinaryIO = file or path.open("wb", buffering=0)
        self._pending: list[str] = [",".join(columns) + "\n"]
        self._whole_bytes = 0
        self._flushed_at = time.monotonic()
        self._failed = False
        self.flush()

    def write(self, row: Sequence[Value]) -> None:
        """Add a row.

        Raises:
            DiskFull: the file cannot grow; rows since the last flush are lost, the others are whole.
        """
        self._pending.append(",".join(map(_cell, row)) + "\n")
        self.rows += 1
        if time.monotonic() - self._flushed_at >= FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Hand what is pending to the system. Raises DiskFull."""
        self._flushed_at = time.monotonic()
        if not self._pending or self._failed:
            return
        data = "".join(self._pending).encode()
        written = 0
        try:
            while written < len(data):
                written += self._file.write(data[written:]) or 0
        except OSError as error:
            self._failed = True
            self._cut(data[:written])
            raise DiskFull(f"{self.path.name} ends after {self.rows} rows ({error.strerror})") from error
        self._whole_bytes += len(data)
        self._pending.clear()

    def close(self) -> None:
        """Flush and close. Raises DiskFull."""
        try:
            self.flush()
        finally:
            self._file.close()

    def _cut(self, written: bytes) -> None:
        """Take a torn last row away, and count what is left."""
        whole = written[: written.rfind(b"\n") + 1]
        self.rows = max(0, self.rows - len(self._pending) + whole.count(b"\n"))
        self._whole_bytes += len(whole)
        self._pending.clear()
        with suppress(OSError):  # readers leave a torn row out too
            self._file.truncate(self._whole_bytes)


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6f}"
    text = str(value)
    if any(mark in text for mark in ',"\r\n'):
        text = " ".join(text.split()).replace('"', '""')
        return f'"{text}"'
    return text
