"""The environments of the local stack's processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import psutil

MARKS: Final = {
    "container": "worker_container.app:create_app()",
    "function": "functions_framework",
    "deliverer": "worker_celery.app:app",
}
"""A word in each service's command line."""


def service_environments(stack_pid: int) -> dict[str, Mapping[str, str]]:
    """Read the environment of each service below a stack's process; unreadable ones are skipped.

    Args:
        stack_pid: process id of the stack.
    """
    environments: dict[str, Mapping[str, str]] = {}
    try:
        children = psutil.Process(stack_pid).children(recursive=True)
    except psutil.Error:
        return {}
    for child in children:
        try:
            words = child.cmdline()
            names = [name for name, mark in MARKS.items() if mark in words and name not in environments]
            for name in names:
                environments[name] = child.environ()
        except psutil.Error:
            continue  # it has ended, or belongs to another user
    return environments
