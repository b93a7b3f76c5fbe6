"""What tests share: servers, stand-ins for the cloud, builders."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
"""The checkout."""
