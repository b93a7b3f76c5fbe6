"""The certificates that Google signs its OIDC tokens with: fetched once, kept as long as Google says.

They rotate every few days. A token that names a new key makes them be fetched again, at most every
REFETCH_S: whoever sends tokens with invented key ids causes one request a minute, not one each.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json

REFETCH_S: Final = 60.0
"""Shortest time between a successful fetch and another one for the sake of an unknown key."""
FAILED_REFETCH_S: Final = 5.0
"""Shortest time between a failed fetch and the next: pushes meanwhile are put off at once, not one by one."""
FETCH_LIMIT_S: Final = 5.0
MIN_AGE_S: Final = 60.0
MAX_AGE_S: Final = 24 * 3600.0
"""Bounds on what the answer's `max-age` says."""
_MAX_BYTES: Final = 256 * 1024
_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})")


class CertificatesUnavailable(Exception):
    """They cannot be had now; nothing is known about the token. The text says why."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """One answer.

    Args:
        by_key_id: X.509 certificate or public key in PEM, by the `kid` that tokens name.
        max_age_s: how long it may be kept.
    """

    by_key_id: Mapping[str, str]
    max_age_s: float


class CertificateCache:
    """Certificates by key id. Safe to use from many threads.

    Args:
        fetch: gets them; raises CertificatesUnavailable.
        clock: monotonic seconds.
    """

    def __init__(
        self, fetch: Callable[[], Certificates], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Mapping[str, str] = {}
        self._fresh_until_s = float("-inf")
        self._next_fetch_s = float("-inf")
        self._failure = ""

    def find(self, key_id: str) -> str | None:
        """The certificate of a key in PEM, or None if Google has none of that id.

        Raises:
            CertificatesUnavailable: they could not be fetched, and those at hand do not settle it.
        """
        found = self._fresh(key_id)
        if found:
            return found
        with self._lock:
            # Another thread may have fetched them while this one waited.
            found = self._fresh(key_id)
            if found:
                return found
            if self._clock() >= self._next_fetch_s:
                self._refresh()
            if self._failure:
                raise CertificatesUnavailable(self._failure)
            return self._fresh(key_id)

    def _fresh(self, key_id: str) -> str | None:
        return self._held.get(key_id) if self._clock() < self._fresh_until_s else None

    def _refresh(self) -> None:
        try:
            found = self._fetch()
        except CertificatesUnavailable as error:
            self._failure = str(error)
            self._next_fetch_s = self._clock() + FAILED_REFETCH_S
            return
        now_s = self._clock()
        age_s = min(max(found.max_age_s, MIN_AGE_S), MAX_AGE_S)
        self._held, self._failure = found.by_key_id, ""
        self._fresh_until_s, self._next_fetch_s = now_s + age_s, now_s + REFETCH_S


def fetch_certificates(url: str) -> Certificates:
    """Get the certificates: a JSON object of PEM texts by key id, kept as `Cache-Control` says.

    Args:
        url: Google's, or another place of the same form.
    Raises:
        CertificatesUnavailable: no answer in time, not 200, or not of that form.
    """
    import requests

    try:
        with requests.get(url, timeout=FETCH_LIMIT_S, stream=True) as answer:
            body = answer.raw.read(_MAX_BYTES + 1, decode_content=True)
            status, cache_control = answer.status_code, answer.headers.get("Cache-Control", "")
    except (requests.RequestException, OSError) as error:
        raise CertificatesUnavailable(
            f"the certificates at {url} cannot be fetched: {type(error).__name__}"
        ) from error
    if status != requests.codes.ok:
        raise CertificatesUnavailable(f"the certificates at {url} cannot be fetched: status {status}")
    age = _MAX_AGE.search(cache_control.lower())
    return Certificates(_parse(body, url), float(age[1]) if age else MIN_AGE_S)


def _parse(body: bytes, url: str) -> dict[str, str]:
    try:
        found: Any = from_json(body) if len(body) <= _MAX_BYTES else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(pem, str) for pem in found.values()):
        raise CertificatesUnavailable(f"what {url} answers is no JSON object of certificates")
    return found
