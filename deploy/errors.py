"""Errors of deploy, destroy and doctor."""

from __future__ import annotations


class DeployError(Exception):
    """What was asked for cannot be done. The text says what is wrong, where, and what to do, in one line."""


class GcloudError(DeployError):
    """A command failed.

    Args:
        message: the reason, one line.
        output: all that it wrote on stderr.
    """

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


class NotThere(GcloudError):
    """What a command asked about does not exist."""
