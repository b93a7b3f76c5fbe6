"""Event streams: one poller per job, and how many streams may be open on them."""

from __future__ import annotations

import threading
from typing import Final

from results.job_state import load_manifest
from results.stores.base import Store
from webpage.errors import TooManyStreams
from webpage.events.job_poller import JobPoller

MAX_POLLERS: Final = 32
HEARTBEAT_S: Final = 10.0
"""Between two signs of life: so a stream whose reader has gone is found out."""
RECONNECT_MS: Final = 2000


class EventStreams:
    """Hands out streams.

    Args:
        store: where the jobs are.
        max_streams: open at once; each holds a thread of the server.
    """

    def __init__(self, store: Store, max_streams: int) -> None:
        self._store = store
        self._max_streams = max_streams
        self._lock = threading.Lock()
        self._pollers: dict[str, JobPoller] = {}
        self._streams = 0
        self._closing = False

    def open(self, job_id: str, last_event_id: str = "") -> EventStream:
        """Open a stream of a job's news.

        Args:
            last_event_id: of the last message that the reader has; it is sent what came since.
        Raises:
            TooManyStreams: the limit is reached.
            ValueError, JobNotFound, DocumentError, StoreError: see `load_manifest`.
        """
        with self._lock:
            if self._streams >= self._max_streams or self._closing:
                raise TooManyStreams(self._max_streams)
            self._streams += 1
        try:
            poller = self._join(job_id)
        except BaseException:
            self._end_stream()
            raise
        return EventStream(poller, last_event_id, self)

    def close(self) -> None:
        """End every stream and every poller, soon."""
        with self._lock:
            self._closing = True
            pollers = [*self._pollers.values()]
        for poller in pollers:
            poller.stop()

    @property
    def streams(self) -> int:
        """How many are open."""
        return self._streams

    def _join(self, job_id: str) -> JobPoller:
        with self._lock:
            poller = self._pollers.get(job_id)
        if poller and poller.join():
            return poller
        manifest = load_manifest(self._store, job_id)
        with self._lock:
            rival = self._pollers.get(job_id)
            if rival is not poller and rival and rival.join():
                return rival
            self._pollers = {name: held for name, held in self._pollers.items() if not held.is_old}
            if len(self._pollers) >= MAX_POLLERS:
                raise TooManyStreams(self._max_streams)
            new = self._pollers[job_id] = JobPoller(self._store, manifest)
            new.join()
        new.start()
        return new

    def _end_stream(self) -> None:
        with self._lock:
            self._streams -= 1


class EventStream:
    """Server-sent events of one job, as bytes. `close` it, however it ends.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
    """

    def __init__(self, poller: JobPoller, last_event_id: str, event_streams: EventStreams) -> None:
        self._poller = poller
        self._event_streams = event_streams
        self._next_row = _rows_had(last_event_id, poller.epoch)
        self._version = -1
        self._greeted = False
        self._ended = False
        self._closed = False

    def __iter__(self) -> EventStream:
        return self

    def __next__(self) -> bytes:
        """The next piece: news as soon as there are any, a comment now and then, at last `end`."""
        if not self._greeted:
            self._greeted = True
            return f"retry: {RECONNECT_MS}\n\n".encode()
        if self._ended or self._closed:
            raise StopIteration
        version = self._poller.wait(max(self._version, 0), HEARTBEAT_S)
        if version > max(self._version, 0):
            self._version = version
            return self._news()
        if self._poller.over:
            self._ended = True
            return b"event: end\ndata: {}\n\n"
        return b": still here\n\n"

    def close(self) -> None:
        """Give the place back."""
        if not self._closed:
            self._closed = True
            self._poller.leave()
            self._event_streams._end_stream()

    def _news(self) -> bytes:
        data, self._next_row = self._poller.message(self._next_row)
        return f"id: {self._poller.epoch}-{self._next_row}\nevent: news\ndata: {data}\n\n".encode()


def _rows_had(last_event_id: str, epoch: str) -> int:
    """How many of this poller's rows a returning reader has; 0 if it is new, or had another poller."""
    its_epoch, _, count = last_event_id.partition("-")
    return int(count) if its_epoch == epoch and count.isascii() and count.isdigit() and len(count) < 9 else 0
