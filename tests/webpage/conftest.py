"""Pages for the tests: of a folder, of a bucket of a real fake-gcs-server, of a whole stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.options import StackOptions
from local.stack import Stack, running
from results.stores.base import Store
from results.stores.directory import DirectoryStore
from results.stores.open import open_store
from tests.support.builders.pictures import manifest, write_job
from tests.support.servers.gcs_server import GcsServer
from tests.support.servers.page_server import PageServer


@pytest.fixture(scope="session")
def folder_store(tmp_path_factory: pytest.TempPathFactory) -> DirectoryStore:
    """A store with two small whole jobs."""
    store = DirectoryStore(tmp_path_factory.mktemp("results"))
    write_job(store)
    write_job(store, manifest(job_id="other", model="other-model", seed=11, targets=("container",)))
    return store


@pytest.fixture(scope="session")
def page(folder_store: DirectoryStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """A page of the folder, without a broker."""
    yield from _served(folder_store.url, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def bucket_store(gcs_server: GcsServer) -> Store:
    """A bucket with the small job; its URL alone says where it is."""
    store = open_store(f"gs://{gcs_server.new_bucket()}/some/prefix?endpoint={gcs_server.url}")
    write_job(store)
    return store


@pytest.fixture(scope="session")
def bucket_page(bucket_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """A page of the bucket."""
    yield from _served(bucket_store.url, tmp_path_factory.mktemp("bucket-page"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole stack with its page."""
    with running(StackOptions(folder=tmp_path_factory.mktemp("stack"), page=True)) as found:
        yield found


def _served(store_url: str, folder: Path) -> Iterator[PageServer]:
    server = PageServer(store_url, folder)
    try:
        server.wait()
        yield server
    finally:
        server.stop()
