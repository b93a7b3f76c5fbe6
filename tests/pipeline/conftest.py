"""Stores for the core, a real GCS server's among them, and a folder of models."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.stores.base import Store
from results.stores.directory import DirectoryStore
from results.stores.gcs import GcsStore
from tests.support.servers.gcs_server import GcsServer


@pytest.fixture
def gcs_store(gcs_server: GcsServer, monkeypatch: pytest.MonkeyPatch) -> GcsStore:
    """A fresh bucket."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.url)
    return GcsStore.from_url(f"gs://{gcs_server.new_bucket()}/prefix")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The user's own models, which no worker has."""
    return tmp_path / "models"


@pytest.fixture
def directory_store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


@pytest.fixture(params=["directory", "gcs"])
def store(request: pytest.FixtureRequest) -> Store:
    """Both real stores in turn."""
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found
