"""One bundle and one server of it for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers.function_site import Site
from tests.support.servers.function_worker import write_constraints
from worker_function.bundle import stage


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    stage(folder / "function", write_constraints(folder / "constraints.txt"))
    return folder / "function"


@pytest.fixture(scope="module")
def site(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    served = Site(tmp_path_factory.mktemp("site"), bundle, slot_wait_s=60)
    try:
        served.server.wait()
        yield served
    finally:
        served.server.stop()
