"""ID tokens for deployed targets: of the user's own credentials, or of an account that they may act for."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any, Final

from bench.errors import BenchError

_MARGIN_S: Final = 300.0
_GCLOUD_LIMIT_S: Final = 60.0


class IdToken:
    """A token that is made anew before it expires.

    Args:
        audience: the deployed URL.
        account: a service account to act for (whose pushes the target takes); "": the user's own.
        fetch: makes a token; for tests.
    """

    def __init__(self, audience: str, account: str = "", fetch: Callable[[], str] | None = None) -> None:
        self._fetch = fetch or (lambda: fetch_id_token(audience, account))
        self._token = ""
        self._expires_s = 0.0

    def headers(self) -> list[str]:
        """The header of a request now.

        Raises:
            BenchError: no token can be had.
        """
        if time.time() > self._expires_s - _MARGIN_S:
            self._token = self._fetch()
            self._expires_s = expiry_s(self._token)
        return [f"Authorization: Bearer {self._token}"]


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
