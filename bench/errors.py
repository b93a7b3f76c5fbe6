"""What a benchmark tells its user, in one line."""

from __future__ import annotations


class BenchError(Exception):
    """A benchmark cannot run or its files cannot be read; the text says why and what to do."""


class DiskFull(BenchError):
    """The raw file cannot grow any more; what is in it is whole."""


class HostRefused(BenchError):
    """Load would go to a host that the user has not called their own."""
