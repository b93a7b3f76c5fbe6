"""A tar archive with the job's files, as `results download` lays them out; and its members' bytes."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Final

from results.export.encoder import NothingToSave
from results.export.samples import Sample, TaskDocument

END: Final = b"\0" * (2 * tarfile.BLOCKSIZE)


def member(name: str, data: bytes) -> bytes:
    """One regular file in a tar archive: header, content, padding. No stamp, no owner: equal for equal input.

    Args:
        name: ASCII, at most 255 characters.
        data: its content.
    """
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o644
    padding = b"\0" * (-len(data) % tarfile.BLOCKSIZE)
    return b"".join((info.tobuf(tarfile.USTAR_FORMAT), data, padding))


class TarEncoder(NothingToSave):
    """`<job>/job.json`, `<job>/<target>/records/…`, `<job>/<target>/images/…`.

    Args:
        job_id: the job.
    """

    with_images = True

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id

    def begin(self, manifest: bytes) -> bytes:
        return member(f"{self._job_id}/job.json", manifest)

    def document(self, document: TaskDocument) -> bytes:
        return member(document.name.removeprefix("jobs/"), document.raw)

    def sample(self, sample: Sample) -> bytes:
        return member(sample.name.removeprefix("jobs/"), sample.png)

    def end(self) -> Iterator[bytes]:
        yield END
