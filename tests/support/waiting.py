"""Waiting for other processes and threads. How long it takes is never asserted: only that it happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LIMIT_S: Final = 120.0
"""For a machine with ten times the work it can do. A test that passes waits no longer than it must."""


def wait_until(true: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
    """Poll until something holds; fail with words if it does not."""
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, f"waited {limit_s:g} s in vain: {what}"
        time.sleep(0.02)
