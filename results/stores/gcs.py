"""The store in a Google Cloud Storage bucket.

`if_generation_match=0` makes a create fail with 412 if the object exists. Uploads up to 8 MiB, which
is every image and document, go in a single request. With `?endpoint=http://host:port` in its URL, or else
STORAGE_EMULATOR_HOST set, the client talks to an emulator, without credentials.
"""

from __future__ import annotations

import io
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from results.errors import ObjectExists, ObjectNotFound, StoreError
from results.stores.base import ObjectInfo, Progress
from results.stores.gcs_errors import client_errors, store_error
from results.stores.object_names import HIDDEN_FOLDER, check_object_name, check_prefix

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Bucket, Client

CONNECTIONS: Final = 64
"""Kept-alive connections: as many threads can use one store without opening new ones."""
SINGLE_REQUEST_BYTES: Final = 8 * 1024 * 1024
"""google-cloud-storage sends more than this as a resumable upload; here in parts of this size, so that a
slow line fails and repeats a part and not the whole."""
TIMEOUT_S: Final = (10.0, 60.0)
"""To connect, and between two bytes of an answer."""

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
        deadline_s: for how long a failing request is tried again.
    """

    def __init__(
        self, bucket: str, prefix: str = "", *, endpoint: str = "", deadline_s: float = 60.0
    ) -> None:
        self._bucket_name = bucket
        self._prefix = check_prefix(prefix)
        self._endpoint = endpoint
        self._deadline_s = deadline_s
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

    def create(
        self, name: str, data: bytes, content_type: str, progress: Progress | None = None
    ) -> ObjectInfo:
        """Create an object, whole and durable, if there is none of that name (see `Store.create`)."""
        blob = self._blob(name)
        if len(data) > SINGLE_REQUEST_BYTES:
            if self.stat(name) is not None:
                # The service checks the precondition of a resumable upload too; fake-gcs-server does not.
                raise ObjectExists(name)
            blob.chunk_size = SINGLE_REQUEST_BYTES
        with self._errors("create", name):
            blob.upload_from_file(
                _Told(data, progress) if progress else io.BytesIO(data),
                size=len(data),
                content_type=content_type,
                if_generation_match=0,
                timeout=TIMEOUT_S,
                retry=self._retry,
            )
        if progress:
            progress(len(data))
        return self._info(blob)

    def read(self, name: str) -> bytes:
        """Return an object's content. Raises ObjectNotFound."""
        blob = self._blob(name)
        with self._errors("read", name):
            content: bytes = blob.download_as_bytes(timeout=TIMEOUT_S, retry=self._retry)
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
        with self._errors("write to", ""):
            probe.upload_from_string(b"", if_generation_match=0, timeout=TIMEOUT_S, retry=self._retry)
        try:
            with self._errors("delete", ""):
                probe.delete(timeout=TIMEOUT_S, retry=self._retry)
        except StoreError as error:
            if error.transient:
                raise

    def _blobs(self, **where: str | None) -> Iterator[ObjectInfo]:
        hidden = f"{self._prefix}{HIDDEN_FOLDER}/"
        with self._errors("list", ""):
            pages = self._bucket().list_blobs(fields=_FIELDS, timeout=TIMEOUT_S, retry=self._retry, **where)
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
                    self._client = _build_client(self._endpoint)
                self._retry = _retry_policy(self._deadline_s)
            return self._client.bucket(self._bucket_name)

    def _info(self, blob: Blob) -> ObjectInfo:
        return ObjectInfo(blob.name.removeprefix(self._prefix), blob.size, blob.time_created)

    @contextmanager
    def _errors(self, verb: str, name: str) -> Iterator[None]:
        """Turn what Google's client raises into StoreError."""
        try:
            yield
        except client_errors() as error:
            raise store_error(error, verb, name, f"gs://{self._bucket_name}") from error


class _Told(io.BytesIO):
    """Content that tells how much of it is sent: all that was read before the next part is asked for."""

    def __init__(self, data: bytes, progress: Progress) -> None:
        super().__init__(data)
        self._progress = progress

    def read(self, size: int | None = -1, /) -> bytes:
        self._progress(self.tell())
        return super().read(size)


def _build_client(endpoint: str) -> Client:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client
    from requests.adapters import HTTPAdapter

    if endpoint:
        client = Client(
            project="diptych",  # an emulator knows no projects, and a client wants one
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": endpoint},
        )
    elif os.environ.get("STORAGE_EMULATOR_HOST"):
        client = Client.create_anonymous_client()
    else:
        client = Client()
    # requests keeps 10 connections by default: more threads would each time open and drop one.
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=CONNECTIONS)
    client._http.mount("https://", adapter)
    client._http.mount("http://", adapter)
    return client


def _retry_policy(deadline_s: float) -> Any:
    """Every call is safe to repeat: reads, deletes, and creates with a precondition."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(deadline_s).with_delay(initial=0.2, maximum=8.0, multiplier=2.0)
