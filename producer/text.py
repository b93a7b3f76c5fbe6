"""Format counts and lists as text."""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, noun: str) -> str:
    """E.g. "1 task", "1,200 tasks"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(words: Sequence[str]) -> str:
    """E.g. "container", "container and function", "celery, container and function"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
