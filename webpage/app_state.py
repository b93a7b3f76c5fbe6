"""What one process of the page holds."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast

from flask import current_app

from pipeline.config.settings import Settings
from results.stores.base import Store
from webpage.byte_cache import ByteCache
from webpage.events.streams import EventStreams
from webpage.signed_links import Signer
from webpage.views.comparison import Comparisons
from webpage.views.job_index import JobIndex

EXTENSION: Final = "diptych-page"
THUMBNAIL_BYTES: Final = 64 * 2**20
PNG_BYTES: Final = 32 * 2**20
MAX_STREAMS: Final = 40
"""Of the server's 64 threads: the others answer everything else."""


@dataclass(slots=True)
class AppState:
    """All that the views use.

    Args:
        store: where the jobs are.
        settings: read anew at each submission: a stack may have been started since.
        allowed_hosts: names under which the page may be asked for, beside localhost and IP addresses.
        max_streams: event streams that may be open at once.
    """

    store: Store
    settings: Callable[[], Settings]
    allowed_hosts: frozenset[str] = frozenset()
    max_streams: int = MAX_STREAMS
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    thumbnails: ByteCache = field(default_factory=lambda: ByteCache(THUMBNAIL_BYTES))
    pngs: ByteCache = field(default_factory=lambda: ByteCache(PNG_BYTES))
    event_streams: EventStreams = field(init=False)
    comparisons: Comparisons = field(default_factory=Comparisons)
    jobs: JobIndex = field(init=False)
    signer: Signer = field(init=False)

    def __post_init__(self) -> None:
        self.event_streams = EventStreams(self.store, self.max_streams)
        self.jobs = JobIndex(self.store)
        self.signer = Signer(self.store)


def current_state() -> AppState:
    """The state of the app that serves the present request."""
    return cast("AppState", current_app.extensions[EXTENSION])
