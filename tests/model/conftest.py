"""What the tests of the rendered faces need."""

from __future__ import annotations

import pytest

from model.dataset import assets
from model.dataset.errors import AssetsError
from tests.support import missing


@pytest.fixture(scope="session")
def face_assets() -> None:
    """The 3D data: what is missing skips on a laptop and fails in CI."""
    try:
        assets.data_folder()
    except AssetsError as error:
        missing.skip(f"the 3D heads: {error}")
