"""A real GCS server for the core."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from results.stores.gcs import GcsStore
from tests.gcs_server import GcsServer, find_binary


@pytest.fixture
def gcs_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsStore]:
    """A fresh bucket on a server of its own."""
    server = GcsServer(find_binary())
    try:
        server.wait()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield GcsStore.from_url(f"gs://{server.new_bucket()}/prefix")
    finally:
        server.stop()
