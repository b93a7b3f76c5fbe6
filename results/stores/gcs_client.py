"""Google's client for Cloud Storage: how it is built, and for how long it tries again."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from results.errors import StoreError
from results.stores.gcs_errors import emulator_gone

if TYPE_CHECKING:
    from google.cloud.storage import Client

CONNECTIONS: Final = 64
"""Kept-alive connections: as many threads can use one store without opening new ones."""
PROBE_LIMIT_S: Final = 3.0
_NO_BUCKET_METADATA: Final = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"
"""Left to itself the client asks for the bucket too, for the sake of traces that are off: in a thread of its
own, at the first request and after each read that finds nothing. A worker has no right to see the bucket."""


def emulator_of(endpoint: str) -> str:
    """Where the emulator is, e.g. "http://127.0.0.1:7434"; "" for the real service.

    Args:
        endpoint: what the store's URL names, or "" for STORAGE_EMULATOR_HOST if that is set.
    """
    return endpoint or os.environ.get("STORAGE_EMULATOR_HOST", "")


def build_client(endpoint: str) -> Client:
    """Make a client, with credentials unless an emulator is asked.

    Args:
        endpoint: see `emulator_of`.
    Raises:
        StoreError: nothing listens where the emulator should be.
        Exception: one of `gcs_errors.client_errors()`.
    """
    emulator = emulator_of(endpoint)
    if emulator:
        _probe(emulator)
    os.environ.setdefault(_NO_BUCKET_METADATA, "true")
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client
    from requests.adapters import HTTPAdapter

    if endpoint:
        client = Client(
            project="diptych",  # an emulator knows no projects, and a client wants one
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": endpoint},
        )
    elif emulator:
        client = Client.create_anonymous_client()
    else:
        # A bucket is known by its name alone: credentials that name no project will do.
        client = Client(project=None)
    # requests keeps 10 connections by default: more threads would each time open and drop one.
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=CONNECTIONS)
    client._http.mount("https://", adapter)
    client._http.mount("http://", adapter)
    return client


def retry_policy(deadline_s: float, on_error: Callable[[Exception], object] | None = None) -> Any:
    """Every call is safe to repeat: reads, deletes, and creates with a precondition.

    Args:
        deadline_s: for how long a failing request is tried again.
        on_error: told of each failed try that may be followed by another.
    """
    from google.api_core.retry import Retry
    from google.cloud.storage.retry import DEFAULT_RETRY

    return Retry(
        predicate=DEFAULT_RETRY._predicate,
        initial=0.2,
        maximum=8.0,
        multiplier=2.0,
        timeout=deadline_s,
        on_error=on_error,
    )


def _probe(emulator: str) -> None:
    """Find out at once what the client would find out after its last try."""
    try:
        place = urlsplit(emulator if "//" in emulator else f"//{emulator}")
        host, port = place.hostname or "", place.port or (443 if place.scheme == "https" else 80)
    except ValueError as error:
        raise StoreError(f"bad STORAGE_EMULATOR_HOST {emulator[:200]!r}: {error}", transient=False) from error
    try:
        socket.create_connection((host, port), timeout=PROBE_LIMIT_S).close()
    except OSError as error:
        raise emulator_gone(emulator, error.strerror or str(error)) from error
