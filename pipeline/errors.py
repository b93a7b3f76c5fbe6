"""Errors of the core. A permanent one is recorded and acknowledged; a transient one is delivered again."""

from __future__ import annotations


class PipelineError(Exception):
    """Base of every error that `pipeline` raises itself."""


class MessageError(PipelineError):
    """A message or envelope cannot be decoded. Permanent: it goes to `rejected/`."""


class SettingsError(PipelineError):
    """A setting is missing or wrong. The text names it, its source, and what to do."""


class BusyError(PipelineError):
    """Every generation slot is taken. Transient, and never an attempt.

    Args:
        retry_after_s: when to ask again.
    """

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"all generation slots are busy; retry after {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class CacheError(PipelineError):
    """A fetched checkpoint can be kept nowhere here. It takes a person; another worker may do better."""


class BrokerError(PipelineError):
    """The broker cannot be reached, or refused a message. Transient."""


class RequestError(PipelineError):
    """A user's request cannot be met as it stands (bad count, job of another request, …)."""
