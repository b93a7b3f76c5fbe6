"""Errors of the page's own."""

from __future__ import annotations


class PageError(Exception):
    """Base of every error that `webpage` raises itself."""


class TooManyStreams(PageError):
    """As many event streams are open as this page serves."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} pages are being kept up to date already: close one, or try again in a while"
        )


class ForeignRequest(PageError):
    """A request that did not come from a page of ours."""


class ServerError(PageError):
    """The page cannot be served: its port is taken, its address is not ours."""
