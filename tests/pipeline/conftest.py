"""A real GCS server for the core."""

from __future__ import annotations

import pytest

from results.stores.gcs import GcsStore
from tests.gcs_server import GcsServer


@pytest.fixture
def gcs_store(gcs_server: GcsServer, monkeypatch: pytest.MonkeyPatch) -> GcsStore:
    """A fresh bucket."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.url)
    return GcsStore.from_url(f"gs://{gcs_server.new_bucket()}/prefix")
