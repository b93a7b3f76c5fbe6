"""Errors of deploy, destroy and doctor."""

from __future__ import annotations


class DeployError(Exception):
    """A deployment failed. The message says in one line what is wrong, where, and what to do."""


class GcloudError(DeployError):
    """A command failed.

    Args:
        message: the reason, one line.
        output: its whole stderr.
    """

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


class NotThere(GcloudError):
    """The resource does not exist."""
