"""What some tests need and a machine may lack: skipped on a laptop with one reason for each, failed in CI.

The summary at the end of a run (tests/conftest.py) counts the skipped tests by reason, so a reason names
what is missing and how to install it.
"""

from __future__ import annotations

import importlib
import os
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NoReturn

import pytest

CHROMIUM: Final = "chromium: apt install chromium, or install Google Chrome"
GCLOUD: Final = "gcloud: install the Google Cloud CLI (https://cloud.google.com/sdk/docs/install)"
COMPILER: Final = "a C++ compiler: apt install g++"
# What no installation brings skips in CI too.
GPU: Final = "an NVIDIA GPU"
AVX512_VNNI: Final = "a CPU with AVX512_VNNI"
AVX512_BF16: Final = "a CPU with AVX512_BF16"
MOUNT: Final = "the right to mount a small file system: run as root on Linux"
DEV_FULL: Final = "/dev/full, a device of Linux"
ADDRESS: Final = "an address besides 127.0.0.1"


def skip(reason: str) -> NoReturn:
    """Skip this test or, in CI, where everything is installed, fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


def need(module: str, extra: str) -> Any:
    """Import a module of an optional extra, or skip."""
    try:
        return importlib.import_module(module)
    except ImportError:
        skip(f"{module}: pip install -e '.[{extra}]'")


def summary(skipped: Iterable[pytest.TestReport | pytest.CollectReport]) -> list[str]:
    """One line for each reason, the commonest first: `17 tests need chromium: apt install chromium`.

    Args:
        skipped: the reports of skipped tests; of a whole file that is skipped there is one.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for report in skipped:
        if isinstance(report.longrepr, tuple):  # path, line, "Skipped: reason"
            kind = "test" if isinstance(report, pytest.TestReport) else "test file"
            counts[kind, report.longrepr[2].removeprefix("Skipped: ")] += 1
    return [f"{_counted(count, kind)} {reason}" for (kind, reason), count in counts.most_common()]


def _counted(count: int, kind: str) -> str:
    return f"{count} {kind} needs" if count == 1 else f"{count} {kind}s need"
