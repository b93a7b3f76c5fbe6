"""A finished job, and `diptych results …` on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from diptych.cli import main
from results.stores.directory import DirectoryStore
from tests.support.builders.pictures import write_job


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """A store with one finished job."""
    store = DirectoryStore(tmp_path / "store")
    write_job(store)
    return store


def run(store: DirectoryStore, *arguments: str) -> Result:
    """Run `diptych results …` on a store."""
    return CliRunner().invoke(main, ["results", *arguments, "--store", store.url])
