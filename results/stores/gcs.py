"""The store in a Google Cloud Storage bucket.

`if_generation_match=0` makes a create fail with 412 if the object exists. Uploads up to 8 MiB, which
is every image and document, go in a single request. With `?endpoint=http://host:port` in its URL, or else
STORAGE_EMULATOR_HOST set, the client talks to an emulator, without credentials.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from results.errors import ObjectExists, ObjectNotFound, StoreError
from results.stores.base import ObjectInfo, Progress
from results.stores.gcs_client import build_client, emulator_of, retry_policy
from results.stores.gcs_errors import client_errors, says_which, store_error
from results.stores.object_names import HIDDEN_FOLDER, check_object_name, check_prefix

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Bucket, Client

SINGLE_REQUEST_BYTES: Final = 8 * 1024 * 1024
"""google-cloud-storage sends more than this as a resumable upload; here in parts of this size, so that a
slow line fails and repeats a part and not the whole."""
TIMEOUT_S: Final = (10.0, 60.0)
"""To connect, and between two bytes of an answer."""
PAGE_SIZE: Final = 1000
"""Objects per answer of a listing: the service's own bound, which a stand-in for it may lack."""
DEADLINE_S: Final = 60.0
"""For how long a request that fails for a passing reason is sent again."""
EMULATOR_DEADLINE_S: Final = 15.0
"""On one machine there is no network to come back."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_ENDPOINT = re.compile(r"endpoint=(https?://[A-Za-z0-9._-]+(?::[0-9]{1,5})?)/?")
_FIELDS: Final = "items(name,size,timeCreated),nextPageToken"


class GcsStore:
    """Objects of one bucket, below a prefix. Thread-safe; the client is built at the first use.

    Args:
        bucket: the bucket's name.
        prefix: "" or a folder's name with "/" at its end.
        endpoint: "http://host:port" of an emulator, asked without credentials; "" for STORAGE_EMULATOR_HOST
            if that is set, else the real service.
        deadline_s: see DEADLINE_S; None: that, or EMULATOR_DEADLINE_S.
    """

    def __init__(
        self, bucket: str, prefix: str = "", *, endpoint: str = "", deadline_s: float | None = None
    ) -> None:
        self._bucket_name = bucket
        self._prefix = check_prefix(prefix)
        self._endpoint = endpoint
        self._given_deadline_s = deadline_s
        self._lock = Lock()
        self._client: Client | None = None
        self._retry: Any = None

    @classmethod
    def from_url(cls, url: str) -> GcsStore:
        """Open `gs://bucket[/prefix][?endpoint=http://host:port]`.

        Raises StoreError if the URL is not of that form.
        """
        place, question, query = url.partition("?")
        bucket, _, prefix = place.removeprefix("gs://").partition("/")
        prefix = prefix.strip("/")
        endpoint = _ENDPOINT.fullmatch(query)
        if not url.startswith("gs://") or not _BUCKET.fullmatch(bucket) or (question and not endpoint):
            raise StoreError(
                f"bad store URL {url[:200]!r}: use gs://bucket or gs://bucket/prefix, and for an emulator"
                " gs://bucket/prefix?endpoint=http://host:port",
                transient=False,
            )
        return cls(bucket, f"{prefix}/" if prefix else "", endpoint=endpoint[1] if endpoint else "")

    @property
    def url(self) -> str:
        """`gs://bucket/prefix`, without a trailing slash; with the emulator that was named, if one was."""
        query = f"?endpoint={self._endpoint}" if self._endpoint else ""
        return f"gs://{self._bucket_name}/{self._prefix}".rstrip("/") + query

    @property
    def is_local(self) -> bool:
        """See Store."""
        return False

    @property
    def is_emulated(self) -> bool:
        """True if an emulator plays the service."""
        return bool(emulator_of(self._endpoint))

    def create(
        self, name: str, data: bytes, content_type: str, progress: Progress | None = None
    ) -> ObjectInfo:
        """Create an object, whole and durable, if there is none of that name (see `Store.create`).

        The client sends a checksum along: the service takes nothing that was damaged or cut on its way.
        """
        blob = self._blob(name)
        if len(data) > SINGLE_REQUEST_BYTES:
            if self.stat(name) is not None:
                # The service checks the precondition of a resumable upload too; fake-gcs-server does not.
                raise ObjectExists(name)
            blob.chunk_size = SINGLE_REQUEST_BYTES
        self._upload(blob, name, data, content_type, progress)
        if progress:
            progress(len(data))
        return self._info(blob)

    def read(self, name: str) -> bytes:
        """Return an object's content. Raises ObjectNotFound; a bucket that is missing is another error."""
        blob = self._blob(name)
        try:
            with self._errors("read", name):
                content: bytes = blob.download_as_bytes(timeout=TIMEOUT_S, retry=self._retry)
        except ObjectNotFound as error:
            if not says_which(error.__cause__):
                next(self._blobs(max_results=1), None)
            raise
        return content

    def stat(self, name: str) -> ObjectInfo | None:
        """Return what is known of an object, or None if there is none."""
        blob = self._blob(name)
        try:
            with self._errors("look up", name):
                blob.reload(timeout=TIMEOUT_S, retry=self._retry)
        except ObjectNotFound:
            return None
        return self._info(blob)

    def find(self, names: Sequence[str]) -> dict[str, ObjectInfo]:
        """Return those of `names` that exist: one listing per folder that they lie in."""
        folders: dict[str, set[str]] = defaultdict(set)
        for name in names:
            folders[check_object_name(name).rpartition("/")[0]].add(name)
        found: dict[str, ObjectInfo] = {}
        for wanted in folders.values():
            if len(wanted) == 1:
                info = self.stat(*wanted)
                found.update({info.name: info} if info else {})
            else:
                first, last = self._prefix + min(wanted), self._prefix + max(wanted)
                # The end is exclusive: "~" puts it just beyond the last name.
                between = self._blobs(start_offset=first, end_offset=f"{last}~")
                found.update({info.name: info for info in between if info.name in wanted})
        return found

    def list(self, prefix: str, *, after: str | None = None) -> Iterator[ObjectInfo]:
        """Yield the objects below `prefix` in lexicographic order, a page of 1000 at a time."""
        below = self._prefix + check_prefix(prefix)
        start = None if after is None else self._prefix + after
        blobs = self._blobs(prefix=below, start_offset=start)
        # The service's offset includes its own name.
        return blobs if after is None else (info for info in blobs if info.name > after)

    def list_folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders directly below `prefix`, in order."""
        return self._folders(self._prefix + check_prefix(prefix))

    def delete(self, name: str) -> None:
        """Delete an object; none of that name is no error."""
        blob = self._blob(name)
        try:
            with self._errors("delete", name):
                blob.delete(timeout=TIMEOUT_S, retry=self._retry)
        except ObjectNotFound:
            pass

    def check(self) -> None:
        """Write a probe, and remove it if this identity may delete (a worker need not)."""
        probe = self._bucket().blob(f"{self._prefix}{HIDDEN_FOLDER}/probe-{uuid4().hex}")
        self._upload(probe, "", b"", "text/plain")
        try:
            with self._errors("delete", ""):
                probe.delete(timeout=TIMEOUT_S, retry=self._retry)
        except StoreError as error:
            if error.transient:
                raise

    def _upload(
        self, blob: Blob, name: str, data: bytes, content_type: str, progress: Progress | None = None
    ) -> None:
        """Write `data` if there is no such object; the one way of all writes.

        Raises:
            ObjectExists: somebody else has written it.
        """
        failed_tries: list[Exception] = []
        try:
            with self._errors("create", name):
                blob.upload_from_file(
                    _Told(data, progress) if progress else io.BytesIO(data),
                    size=len(data),
                    content_type=content_type,
                    if_generation_match=0,
                    timeout=TIMEOUT_S,
                    retry=retry_policy(self._deadline_s, failed_tries.append),
                )
        except ObjectExists:
            # A failed try may have got through, and only its answer been lost.
            if not failed_tries or not self._holds(blob, name, data):
                raise

    def _holds(self, blob: Blob, name: str, data: bytes) -> bool:
        """True if what is stored is what was sent. Reads what is known of it into `blob`."""
        with self._errors("look up", name):
            blob.reload(timeout=TIMEOUT_S, retry=self._retry)
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode("ascii")
        return bool(blob.size == len(data) and blob.md5_hash == digest)

    def _blobs(self, **where: str | int | None) -> Iterator[ObjectInfo]:
        hidden = f"{self._prefix}{HIDDEN_FOLDER}/"
        with self._errors("list", ""):
            pages = self._bucket().list_blobs(
                fields=_FIELDS, page_size=PAGE_SIZE, timeout=TIMEOUT_S, retry=self._retry, **where
            )
            for blob in pages:
                if not blob.name.startswith(hidden):
                    yield self._info(blob)

    def _folders(self, below: str) -> Iterator[str]:
        with self._errors("list", ""):
            listing = self._bucket().list_blobs(
                prefix=below,
                delimiter="/",
                fields="prefixes,nextPageToken",
                timeout=TIMEOUT_S,
                retry=self._retry,
            )
            seen: set[str] = set()
            for _ in listing.pages:
                for folder in sorted(listing.prefixes - seen):
                    if folder != f"{self._prefix}{HIDDEN_FOLDER}/":
                        yield folder.removeprefix(below).rstrip("/")
                seen |= listing.prefixes

    def _blob(self, name: str) -> Blob:
        return self._bucket().blob(self._prefix + check_object_name(name))

    def _bucket(self) -> Bucket:
        with self._lock:
            if self._client is None:
                with self._errors("open", ""):
                    self._client = build_client(self._endpoint)
                self._retry = retry_policy(self._deadline_s)
            return self._client.bucket(self._bucket_name)

    @property
    def _deadline_s(self) -> float:
        usual_s = EMULATOR_DEADLINE_S if emulator_of(self._endpoint) else DEADLINE_S
        return usual_s if self._given_deadline_s is None else self._given_deadline_s

    def _info(self, blob: Blob) -> ObjectInfo:
        return ObjectInfo(blob.name.removeprefix(self._prefix), blob.size, blob.time_created)

    @contextmanager
    def _errors(self, verb: str, name: str) -> Iterator[None]:
        """Turn what Google's client raises into StoreError."""
        try:
            yield
        except client_errors() as error:
            where = f"gs://{self._bucket_name}"
            raise store_error(error, verb, name, where, emulator_of(self._endpoint)) from error


class _Told(io.BytesIO):
    """Content that tells how much of it is sent: all that was read before the next part is asked for."""

    def __init__(self, data: bytes, progress: Progress) -> None:
        super().__init__(data)
        self._progress = progress

    def read(self, size: int | None = -1, /) -> bytes:
        self._progress(self.tell())
        return super().read(size)
