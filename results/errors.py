"""Errors of the results leaf. `pipeline` turns them into outcomes."""

from __future__ import annotations


class ResultsError(Exception):
    """Base of every error that `results` raises."""


class StoreError(ResultsError):
    """A store could not do what was asked.

    Args:
        message: what was wrong, where, and what to do, in one line.
        transient: True if the same call may succeed later (429, 5xx, network).
    """

    def __init__(self, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.transient = transient


class StoreVanished(StoreError):
    """The folder of a store was there and is not: nothing is lost if it comes back."""

    def __init__(self, root: str) -> None:
        super().__init__(
            f"the results folder {root} has vanished: move it back, or mount it again", transient=True
        )


class ObjectExists(StoreError):
    """A create-if-absent met an object of that name (HTTP 412 on GCS)."""

    def __init__(self, name: str) -> None:
        super().__init__(f"object already exists: {name}", transient=False)
        self.name = name


class ObjectNotFound(StoreError):
    """A read named an object that is not there (HTTP 404 on GCS)."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no such object: {name}", transient=False)
        self.name = name


class DocumentError(ResultsError):
    """A stored JSON document (manifest, record, …) cannot be read: wrong schema or damaged."""


class ImageError(ResultsError):
    """Bytes are not a PNG of ours: damaged, or without the provenance chunk."""


class ImageConflict(ResultsError):
    """A stored image is of another model, seed, index or params than the one to be stored."""

    def __init__(self, name: str, difference: str) -> None:
        super().__init__(f"{name} is another picture: {difference}; the job's store was used for other work")
        self.name = name


class JobNotFound(ResultsError):
    """The store holds no manifest of that job."""

    def __init__(self, job_id: str, store_url: str) -> None:
        super().__init__(f"no job {job_id!r} in {store_url}; `diptych jobs` lists the jobs there")
        self.job_id = job_id
