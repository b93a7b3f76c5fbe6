"""One libcurl handle: sends a push and reads libcurl's own timers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import pycurl

_HEADERS: Final = ["Content-Type: application/json", "Expect:", "User-Agent: diptych-bench"]


@dataclass(frozen=True, slots=True)
class Times:
    """What libcurl says of a transfer; see Sample."""

    status: int
    response_s: float
    first_byte_s: float | None
    dns_s: float | None
    connect_s: float | None
    tls_s: float | None
    new_connection: int
    retry_after_s: float | None
    bytes: int
    error: str

    def fields(self) -> dict[str, Any]:
        """By name."""
        return {name: getattr(self, name) for name in self.__slots__}


class Transfer:
    """A handle that posts to one URL, again and again.

    Args:
        url: where to.
        timeout_s: a request is given up after it.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self.handle: Any = pycurl.Curl()
        self._tls = urlsplit(url).scheme == "https"
        self._bytes = 0
        for option, value in (
            (pycurl.URL, url),
            (pycurl.POST, 1),
            (pycurl.NOSIGNAL, 1),
            (pycurl.PROXY, ""),  # nothing of the environment stands between us and the target
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.TCP_NODELAY, 1),
            (pycurl.TIMEOUT_MS, max(1, int(timeout_s * 1000))),
            (pycurl.WRITEFUNCTION, self._take),
        ):
            self.handle.setopt(option, value)

    def prepare(self, body: bytes, headers: list[str]) -> None:
        """Get the next request ready."""
        self._bytes = 0
        self.handle.setopt(pycurl.HTTPHEADER, [*_HEADERS, *headers])
        self.handle.setopt(pycurl.POSTFIELDS, body)

    def send(self, body: bytes, headers: list[str]) -> Times:
        """Send a request, and wait for its end."""
        self.prepare(body, headers)
        try:
            self.handle.perform()
        except pycurl.error as failure:
            return self.times(str(failure.args[-1]))
        return self.times("")

    def times(self, error: str) -> Times:
        """What has happened; to be asked before the handle is used again.

        Args:
            error: libcurl's words, "" if there is an answer.
        """
        ask = self.handle.getinfo
        opened = ask(pycurl.NUM_CONNECTS) > 0
        looked_up, connected = ask(pycurl.NAMELOOKUP_TIME), ask(pycurl.CONNECT_TIME)
        secured, first = ask(pycurl.APPCONNECT_TIME), ask(pycurl.STARTTRANSFER_TIME)
        fresh = opened and connected > 0
        retry_s = ask(pycurl.RETRY_AFTER)
        return Times(
            status=0 if error else ask(pycurl.RESPONSE_CODE),
            response_s=ask(pycurl.TOTAL_TIME),
            first_byte_s=None if error or not first else first,
            dns_s=looked_up if fresh else None,
            connect_s=connected - looked_up if fresh else None,
            tls_s=secured - connected if fresh and self._tls and secured else None,
            new_connection=int(opened),
            retry_after_s=float(retry_s) if retry_s else None,
            bytes=self._bytes,
            error=error,
        )

    def close(self) -> None:
        """Free it."""
        self.handle.close()

    def _take(self, data: bytes) -> None:
        self._bytes += len(data)
