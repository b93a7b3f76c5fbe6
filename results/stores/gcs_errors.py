"""What an error of Google's client means for a store in a bucket."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Final

from results.errors import ObjectExists, ObjectNotFound, StoreError

_NOT_NOW: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_SERVER_ERROR: Final = 500
_MAX_REASON: Final = 200


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


def store_error(error: Exception, verb: str, name: str, where: str) -> StoreError:
    """Say why a request failed, and whether the same call may succeed later.

    Args:
        error: one of `client_errors()`.
        verb: what was tried: "create", "read", "look up", "list", "delete", "write to", "open".
        name: the object's name, or "" for the bucket.
        where: the bucket's URL.
    """
    from google.auth.exceptions import GoogleAuthError

    if isinstance(error, GoogleAuthError):
        return _credentials_error(error, where)
    code = _status(error)
    if code == HTTPStatus.PRECONDITION_FAILED and verb == "create":
        return ObjectExists(name)
    if code == HTTPStatus.NOT_FOUND and verb in ("read", "look up", "delete"):
        return ObjectNotFound(name)
    if code == HTTPStatus.NOT_FOUND:
        return StoreError(
            f"bucket {where} does not exist: create it, or name another with --store or DIPTYCH_STORE_URL",
            transient=False,
        )
    if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return StoreError(
            f"no permission to {verb} {name or 'objects'} in {where}: grant this identity "
            f"roles/storage.objectUser on the bucket ({_reason(error)})",
            transient=False,
        )
    # Without a status there was no answer: the network, a timeout, a connection cut off.
    transient = code is None or code in _NOT_NOW or code >= _SERVER_ERROR
    return StoreError(f"cannot {verb} {name or 'objects'} in {where}: {_reason(error)}", transient=transient)


def _credentials_error(error: Exception, where: str) -> StoreError:
    from google.auth.exceptions import TransportError

    if isinstance(error, TransportError) or getattr(error, "retryable", False):
        return StoreError(f"cannot sign in for {where}: {_reason(error)}", transient=True)
    return StoreError(
        f"no Google credentials for {where}: run `gcloud auth application-default login`, "
        f"or set GOOGLE_APPLICATION_CREDENTIALS ({_reason(error)})",
        transient=False,
    )


def _status(error: Exception) -> int | None:
    """The HTTP status behind an exception; None if there was no answer."""
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.cloud.storage.exceptions import InvalidResponse

    if isinstance(error, RetryError):
        return _status(error.cause) if isinstance(error.cause, Exception) else None
    if isinstance(error, GoogleAPICallError):
        return int(error.code) if error.code else None
    if isinstance(error, InvalidResponse):
        return int(error.response.status_code)
    return None


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}…"
