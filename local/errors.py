"""Errors of the local stack."""

from __future__ import annotations


class StackError(Exception):
    """The local stack cannot start, or cannot go on. The text says what to do."""
