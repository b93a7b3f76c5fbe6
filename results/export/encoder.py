"""The Protocol of a form that is one file, written from front to end, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from results.export.samples import Sample, TaskDocument


class Encoder(Protocol):
    """Turns records and images into the bytes of a file. What it gave cannot be taken back."""

    with_images: bool
    """Whether it carries the PNGs, or metadata alone."""

    def begin(self, manifest: bytes) -> bytes:
        """The file's beginning.

        Args:
            manifest: the job's `job.json`, as it is stored.
        """
        ...

    def document(self, document: TaskDocument) -> bytes:
        """What a record adds."""
        ...

    def sample(self, sample: Sample) -> bytes:
        """What an image adds."""
        ...

    def end(self) -> Iterator[bytes]:
        """The file's end."""
        ...

    def save(self) -> dict[str, int]:
        """What `restore` needs to go on from here; durable before the journal names it."""
        ...

    def restore(self, state: dict[str, int]) -> None:
        """Go on from where `save` was called, perhaps in another process.

        Raises:
            ValueError, OSError: that cannot be done.
        """
        ...


class NothingToSave:
    """For encoders that know all from the sample in hand."""

    def save(self) -> dict[str, int]:
        """Nothing."""
        return {}

    def restore(self, state: dict[str, int]) -> None:
        """Nothing to do."""
