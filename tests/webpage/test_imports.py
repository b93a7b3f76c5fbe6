"""What the page imports: no terminal code, and nothing in a circle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "webpage"


def test_it_imports_no_terminal_code() -> None:
    code = (
        "import importlib, pkgutil, sys, webpage\n"
        "for module in pkgutil.walk_packages(webpage.__path__, 'webpage.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(sorted({'rich', 'diptych', 'bench'} & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_no_import_is_for_types_alone() -> None:
    """An import that must not be made when the module runs hides a circle."""
    hidden = [path.name for path in PACKAGE.rglob("*.py") if "TYPE_CHECKING" in path.read_text()]
    assert hidden == []
