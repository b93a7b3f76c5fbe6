"""A zip archive, written in one go and in bounded memory.

`zipfile` keeps every member's name until the end, and cannot take up a file whose writer died. Here the
central directory grows in a file of its own and is copied behind the last member.
Source: PKWARE, APPNOTE.TXT, the .ZIP File Format Specification 6.3.10, sections 4.3.7 to 4.3.16 and 4.5.3.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import IO, Final

from results.export.samples import Sample, TaskDocument

_STORED: Final = 0
_FIRST_DAY: Final = (1980 - 1980) << 9 | 1 << 5 | 1
"""1 January 1980: the earliest stamp that a zip can carry, the same for every member."""
_MADE_ON_UNIX: Final = 3 << 8
_VERSION: Final = 20
_VERSION_64: Final = 45
_REGULAR_0644: Final = (0o100644) << 16
_MAX_32: Final = 0xFFFFFFFF
_MAX_16: Final = 0xFFFF
_COPY_BYTES: Final = 1 << 20


class ZipEncoder:
    """`<job>/job.json`, `<job>/<target>/records/…`, `<job>/<target>/images/…`, stored: a PNG is compressed.

    Args:
        job_id: the job.
        directory: empty file, open for reading and writing: the central directory until the end.
    """

    with_images = True

    def __init__(self, job_id: str, directory: IO[bytes]) -> None:
        self._job_id = job_id
        self._directory = directory
        self._offset = 0
        self._count = 0

    def begin(self, manifest: bytes) -> bytes:
        # An earlier run that could not be taken up may have left something.
        self._directory.seek(0)
        self._directory.truncate()
        self._offset = self._count = 0
        return self._member(f"{self._job_id}/job.json", manifest)

    def document(self, document: TaskDocument) -> bytes:
        return self._member(document.name.removeprefix("jobs/"), document.raw)

    def sample(self, sample: Sample) -> bytes:
        return self._member(sample.name.removeprefix("jobs/"), sample.png)

    def end(self) -> Iterator[bytes]:
        size = self._directory.tell()
        self._directory.seek(0)
        while chunk := self._directory.read(_COPY_BYTES):
            yield chunk
        yield self._ending(size)

    def save(self) -> dict[str, int]:
        self._directory.flush()
        os.fsync(self._directory.fileno())
        return {"offset": self._offset, "count": self._count, "directory": self._directory.tell()}

    def restore(self, state: dict[str, int]) -> None:
        size = self._directory.seek(0, os.SEEK_END)
        if size < state["directory"]:
            raise ValueError("the central directory is shorter than it was")
        self._directory.truncate(state["directory"])
        self._directory.seek(state["directory"])
        self._offset, self._count = state["offset"], state["count"]

    def _member(self, name: str, data: bytes) -> bytes:
        path, checksum, size = name.encode("ascii"), zlib.crc32(data), len(data)
        # Version, flags, method, time, date; CRC, both sizes; lengths of the name and of extra fields.
        common = struct.pack(
            "<HHHHHIIIH", _VERSION, 0, _STORED, 0, _FIRST_DAY, checksum, size, size, len(path)
        )
        header = b"".join((b"PK\x03\x04", common, struct.pack("<H", 0), path, data))
        self._directory.write(self._entry(path, checksum, size))
        self._offset += len(header)
        self._count += 1
        return header

    def _entry(self, path: bytes, checksum: int, size: int) -> bytes:
        far = self._offset >= _MAX_32
        extra = struct.pack("<HHQ", 1, 8, self._offset) if far else b""
        version = _VERSION_64 if far else _VERSION
        head = struct.pack("<HHHHHHIII", _MADE_ON_UNIX | version, version, 0, _STORED, 0, _FIRST_DAY,
                           checksum, size, size)  # fmt: skip
        # Lengths of name, extra fields, comment; disk; internal and external attributes; where it begins.
        tail = struct.pack(
            "<HHHHHII", len(path), len(extra), 0, 0, 0, _REGULAR_0644, min(self._offset, _MAX_32)
        )
        return b"".join((b"PK\x01\x02", head, tail, path, extra))

    def _ending(self, size: int) -> bytes:
        """The end records; the 64-bit ones too, where the others are too narrow."""
        count, offset = self._count, self._offset
        classic = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, min(count, _MAX_16), min(count, _MAX_16),
                              min(size, _MAX_32), min(offset, _MAX_32), 0)  # fmt: skip
        if count < _MAX_16 and size < _MAX_32 and offset < _MAX_32:
            return classic
        large = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, _MADE_ON_UNIX | _VERSION_64, _VERSION_64, 0, 0,
                            count, count, size, offset)  # fmt: skip
        locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, offset + size, 1)
        return large + locator + classic
