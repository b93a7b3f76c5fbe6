"""Short-lived links to images in a bucket, for credentials that can sign; else the page serves them."""

from __future__ import annotations

import logging
from datetime import timedelta
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

from results.stores.base import Store
from results.stores.gcs import GcsStore
from results.stores.object_names import check_object_name

LIFETIME: Final = timedelta(minutes=15)

_log = logging.getLogger(__name__)


class Signer:
    """Signs links to a store's objects. Nothing is asked of a network.

    Args:
        store: a directory has no links; a bucket has, if the default credentials are a service account's key.
        client: a `google.cloud.storage.Client`, for tests; default: made at the first use.
    """

    def __init__(self, store: Store, client: Any = None) -> None:
        parts = urlsplit(store.url)
        self._is_real_bucket = isinstance(store, GcsStore) and not store.is_emulated
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._client = client
        self._lock = Lock()
        self._tried = client is not None

    def link(self, name: str) -> str | None:
        """A link to an object, good for LIFETIME without credentials; None if there is none to be had."""
        client = self._signing_client()
        if client is None:
            return None
        full = f"{self._prefix}/{name}" if self._prefix else name
        blob = client.bucket(self._bucket).blob(check_object_name(full))
        return str(blob.generate_signed_url(version="v4", expiration=LIFETIME, method="GET"))

    def _signing_client(self) -> Any:
        with self._lock:
            if not self._tried:
                self._tried = True
                self._client = _client_that_signs() if self._is_real_bucket else None
            return self._client


def _client_that_signs() -> Any:
    """The default client, if its credentials hold a private key."""
    from google.auth.credentials import Signing
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage import Client

    try:
        client = Client()
    except (GoogleAuthError, OSError) as error:
        _log.info("images are served through the page: %s", error)
        return None
    # User credentials of gcloud and those of a metadata server cannot sign by themselves.
    return client if isinstance(client._credentials, Signing) else None
