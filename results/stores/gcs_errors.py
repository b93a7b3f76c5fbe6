"""What an error of Google's client means for a store in a bucket."""

from __future__ import annotations

import json
import re
from functools import cache
from http import HTTPStatus
from typing import Final

from results.errors import ObjectExists, ObjectNotFound, StoreError

_SERVER_ERROR: Final = 500
_MAX_REASON: Final = 200
_NO_BUCKET: Final = "bucket does not exist"
_NO_OBJECT: Final = "no such object"
"""So the service tells two kinds of 404 apart; fake-gcs-server does not."""
_MAX_DEPTH: Final = 8
_REQUEST: Final = re.compile(r"^[A-Z]+ https?://\S+: |: \('Request failed with status code'.*\)$")
"""What the client puts around the service's own words."""


@cache
def client_errors() -> tuple[type[Exception], ...]:
    """The exceptions that google-cloud-storage lets through. Imported only when one is on its way."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
    from requests import RequestException
    from urllib3.exceptions import HTTPError

    return (
        GoogleAPIError,
        GoogleAuthError,
        DataCorruption,
        InvalidResponse,
        RequestException,
        HTTPError,
        OSError,
    )


def store_error(error: Exception, verb: str, name: str, where: str, emulator: str = "") -> StoreError:
    """Say why a request failed, and whether the same call may succeed later.

    Args:
        error: one of `client_errors()`.
        verb: what was tried: "create", "read", "look up", "list", "delete", "open".
        name: the object's name, or "" for the bucket.
        where: the bucket's URL.
        emulator: address of the emulator that was asked; "" for the real service.
    """
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption

    cause = _cause(error)
    if isinstance(cause, GoogleAuthError):
        return _credentials_error(cause, where)
    what = f"{verb} {name or 'objects'} in {where}"
    if isinstance(cause, DataCorruption):
        return StoreError(f"cannot {what}: it was damaged on its way here; try again", transient=True)
    code = _status(cause)
    if code is None:
        return _no_answer(cause, what, emulator)
    if code == HTTPStatus.PRECONDITION_FAILED and verb == "create":
        return ObjectExists(name)
    if code == HTTPStatus.NOT_FOUND:
        return _not_found(cause, verb, name, where)
    if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return StoreError(
            f"no permission to {what}: grant this identity roles/storage.objectUser on the bucket"
            f" ({_reason(cause)})",
            transient=False,
        )
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return StoreError(
            f"cannot {what}: too many requests at once, or a quota is used up ({_reason(cause)}): try again"
            " in a minute",
            transient=True,
        )
    if code >= _SERVER_ERROR or code == HTTPStatus.REQUEST_TIMEOUT:
        return StoreError(
            f"cannot {what}: the service has trouble ({code}, {_reason(cause)}): try again in a few minutes",
            transient=True,
        )
    return StoreError(f"cannot {what}: {_reason(cause)}", transient=False)


def says_which(error: BaseException | None) -> bool:
    """True if a 404 says itself whether the object or its bucket is missing."""
    text = str(error).lower()
    return _NO_OBJECT in text or _NO_BUCKET in text


def emulator_gone(emulator: str, why: str) -> StoreError:
    """Nothing listens where the emulator should be, or it does not answer."""
    return StoreError(
        f"the Cloud Storage emulator at {emulator} does not answer ({why}): start the local stack with"
        " `diptych up --broker pubsub`, or give --store or DIPTYCH_STORE_URL",
        transient=True,
    )


def _no_answer(error: Exception, what: str, emulator: str) -> StoreError:
    """The network, a timeout, a connection cut off."""
    if emulator:
        return emulator_gone(emulator, _reason(error))
    return StoreError(f"cannot {what}: no answer; is the network up? ({_reason(error)})", transient=True)


def _not_found(error: Exception, verb: str, name: str, where: str) -> StoreError:
    if verb in ("read", "look up", "delete") and _NO_BUCKET not in str(error).lower():
        return ObjectNotFound(name)
    return StoreError(
        f"bucket {where} does not exist: create it, or name another with --store or DIPTYCH_STORE_URL",
        transient=False,
    )


def _credentials_error(error: Exception, where: str) -> StoreError:
    from google.auth.exceptions import TransportError

    if isinstance(error, TransportError) or getattr(error, "retryable", False):
        return StoreError(
            f"cannot sign in for {where}: is the network up? ({_reason(error)})", transient=True
        )
    return StoreError(
        f"no Google credentials for {where}, or they have expired: run `gcloud auth application-default"
        f" login`, or set GOOGLE_APPLICATION_CREDENTIALS ({_reason(error)})",
        transient=False,
    )


def _cause(error: Exception) -> Exception:
    """What was wrong each time, when the client gave up trying again."""
    from google.api_core.exceptions import RetryError

    if isinstance(error, RetryError) and isinstance(error.cause, Exception):
        return error.cause
    return error


def _status(error: Exception) -> int | None:
    """The HTTP status behind an exception; None if there was no answer."""
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud.storage.exceptions import InvalidResponse

    if isinstance(error, GoogleAPICallError):
        return int(error.code) if error.code else None
    if isinstance(error, InvalidResponse):
        return int(error.response.status_code)
    return None


def _reason(error: Exception) -> str:
    """The innermost words: around them the client repeats the address, and the tries."""
    for _ in range(_MAX_DEPTH):
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if not isinstance(inner, Exception):
            break
        error = inner
    said = _answer_text(error) or str(getattr(error, "message", "") or error)
    text = _REQUEST.sub("", " ".join(said.split())).strip() or type(error).__name__
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}…"


def _answer_text(error: Exception) -> str:
    """What was answered to an upload or download that failed to the last, in the service's words."""
    from google.cloud.storage.exceptions import InvalidResponse

    if not isinstance(error, InvalidResponse):
        return ""
    text = str(error.response.text)
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return text or str(error.response.reason)
