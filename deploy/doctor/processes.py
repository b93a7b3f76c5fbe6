"""What the services of the local stack were started with, as their processes tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import psutil

MARKS: Final = {
    "container": "worker_container.app:create_app()",
    "function": "functions_framework",
    "deliverer": "worker_celery.app:app",
}
"""A word of each one's command line."""


def service_environments(stack_pid: int) -> dict[str, Mapping[str, str]]:
    """Environment of each service that runs below a stack's process; what may not be seen is left out.

    Args:
        stack_pid: of the process that runs the stack.
    """
    found: dict[str, Mapping[str, str]] = {}
    try:
        children = psutil.Process(stack_pid).children(recursive=True)
    except psutil.Error:
        return {}
    for child in children:
        try:
            words = child.cmdline()
            names = [name for name, mark in MARKS.items() if mark in words and name not in found]
            for name in names:
                found[name] = child.environ()
        except psutil.Error:
            continue  # it has ended, or belongs to somebody else
    return found
