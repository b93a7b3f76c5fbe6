"""Import OpenVINO without its model converter, which no worker needs."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

from model.errors import EngineError

_CONVERTER: Final = "openvino.tools.ovc"


def import_openvino() -> Any:
    """Import OpenVINO as far as serving needs it.

    Its package also imports the model converter, and with that a usage-statistics client and an HTTP stack:
    half of the import time. It works without them if the converter cannot be imported.

    Returns:
        The package.
    Raises:
        EngineError: it is not installed.
    """
    try:
        return _import()
    except ImportError as error:
        raise EngineError(f"engine openvino is not installed (pip install openvino): {error}") from error


def _import() -> Any:
    if "openvino" in sys.modules or _CONVERTER in sys.modules:
        return importlib.import_module("openvino")
    # None makes an import fail at once; https://docs.python.org/3/reference/import.html#the-module-cache
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[_CONVERTER]
