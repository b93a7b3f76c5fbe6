"""ID tokens for deployed targets: of the user's own credentials, or of an account that they may act for."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from bench.errors import BenchError

_RENEW_S: Final = 600.0
"""A token is made anew when it has less than this left, in the background: a run does not wait for it."""
_LAST_S: Final = 60.0
"""With less than this left, it is waited for."""
_PAUSE_S: Final = 15.0
_GCLOUD_LIMIT_S: Final = 60.0


class IdToken:
    """A token that is made anew before it expires. Thread-safe.

    Args:
        audience: whom it is for, see `audience_of`.
        account: a service account to act for (whose pushes the target takes); "": the user's own.
        fetch: makes a token; for tests.
    """

    def __init__(self, audience: str, account: str = "", fetch: Callable[[], str] | None = None) -> None:
        self._fetch = fetch or (lambda: fetch_id_token(audience, account))
        self._lock = threading.Lock()
        self._token = ""
        self._expires_s = self._next_try_s = 0.0

    def headers(self) -> list[str]:
        """The header of a request now. The first call makes the token: make it before the clock runs.

        Raises:
            BenchError: no token can be had.
        """
        with self._lock:
            now = time.time()
            if now > self._expires_s - _LAST_S:
                self._renew()
            elif now > self._expires_s - _RENEW_S and now > self._next_try_s:
                self._next_try_s = now + _GCLOUD_LIMIT_S + _PAUSE_S
                threading.Thread(target=self._try_to_renew, name="ID token", daemon=True).start()
            return [f"Authorization: Bearer {self._token}"]

    def _renew(self) -> None:
        token = self._fetch()
        self._expires_s = expiry_s(token)
        self._token = token

    def _try_to_renew(self) -> None:
        try:
            token = self._fetch()
            expires_s = expiry_s(token)
        except BenchError:
            return  # tried again, and reported when the old one is at its end
        with self._lock:
            self._token, self._expires_s, self._next_try_s = token, expires_s, 0.0


def audience_of(url: str) -> str:
    """Whom a token for a deployed target is made out to: Cloud Run's services go by their host."""
    parts = urlsplit(url)
    if (parts.hostname or "").endswith(".run.app"):
        return f"{parts.scheme}://{parts.netloc}"
    return url.rstrip("/")


def fetch_id_token(audience: str, account: str) -> str:
    """A token from google-auth (a service account's key, or a metadata server), else from gcloud.

    Raises:
        BenchError: neither gives one.
    """
    if not account:
        token = _of_google_auth(audience)
        if token:
            return token
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        raise BenchError("no ID token: install gcloud, or set GOOGLE_APPLICATION_CREDENTIALS")
    act = (f"--impersonate-service-account={account}", f"--audiences={audience}", "--include-email")
    command = [gcloud, "auth", "print-identity-token", *(act if account else ())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GCLOUD_LIMIT_S, check=True)
    except subprocess.CalledProcessError as error:
        said = " ".join((error.stderr or "").split())[:300]
        raise BenchError(f"gcloud gives no ID token ({said}): try `gcloud auth login`") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"gcloud gives no ID token: {error}") from error
    return done.stdout.strip()


def expiry_s(token: str) -> float:
    """When a token expires, seconds since the epoch.

    Raises:
        BenchError: it is no JWT.
    """
    try:
        payload = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (IndexError, ValueError, KeyError, TypeError) as error:
        raise BenchError("what was given as an ID token is none") from error


def _of_google_auth(audience: str) -> str:
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request
    from google.oauth2.id_token import fetch_id_token as fetch

    try:
        return str(fetch(Request(), audience))  # type: ignore[no-untyped-call]
    except GoogleAuthError:
        return ""  # a user's own login: gcloud makes its tokens
