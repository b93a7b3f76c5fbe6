"""Stores for the tests: a directory, and a bucket of a real fake-gcs-server."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.stores.base import Store
from results.stores.directory import DirectoryStore
from results.stores.gcs import GcsStore
from tests.support.servers.gcs_server import GcsServer


@pytest.fixture
def gcs_store(gcs_server: GcsServer, monkeypatch: pytest.MonkeyPatch) -> GcsStore:
    """An empty store in a new bucket, below a prefix."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.url)
    return GcsStore(gcs_server.new_bucket(), "some/prefix/", deadline_s=10)


@pytest.fixture
def directory_store(tmp_path: Path) -> DirectoryStore:
    """An empty store in a folder that does not exist yet."""
    return DirectoryStore(tmp_path / "results folder")


@pytest.fixture(params=["directory", "gcs"])
def store(request: pytest.FixtureRequest) -> Store:
    """Every real store in turn."""
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found
