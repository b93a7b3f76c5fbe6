"""Turn errors of Google's Pub/Sub client into one line that says what to do."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import cache
from typing import Final

from pipeline.config.pubsub_settings import PubSubAddress
from pipeline.errors import BrokerError

_MAX_REASON: Final = 200
_NO_TOKEN: Final = "metadata from plugin failed"
"""How gRPC reports, as UNAVAILABLE, that it got no token."""
_NO_PROJECT: Final = "project not found"


@cache
def client_errors() -> tuple[type[Exception], ...]:
    """The exceptions that google-cloud-pubsub raises. Imported only when one was raised."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.pubsub_v1.publisher.exceptions import PublishError

    return (GoogleAPIError, GoogleAuthError, PublishError, FutureTimeoutError)


def broker_error(error: Exception, address: PubSubAddress, subscription: str = "") -> BrokerError:
    """Explain why a request failed and what to do about it.

    Args:
        error: one of `client_errors()`.
        address: the topic of the request.
        subscription: short name of the subscription pulled from; "" for publishing.
    """
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError

    cause = _cause(error)
    where = address.subscription_path(subscription) if subscription else address.topic_path
    verb, role = ("pull from", "subscriber") if subscription else ("publish to", "publisher")
    if isinstance(cause, GoogleAuthError):
        return _credentials_error(cause, address)
    if isinstance(cause, exceptions.Unauthenticated) or _NO_TOKEN in str(cause):
        return _no_credentials(cause, address)
    if isinstance(cause, exceptions.NotFound):
        return _not_found(cause, address, where)
    if isinstance(cause, exceptions.PermissionDenied):
        return BrokerError(
            f"no permission to {verb} {where}: check the project's name, and grant this identity"
            f" roles/pubsub.{role} ({_reason(cause)})"
        )
    if isinstance(cause, exceptions.ResourceExhausted):
        return BrokerError(
            f"the Pub/Sub quota of project {address.project} is exhausted ({_reason(cause)}): wait a minute,"
            " or raise it at https://console.cloud.google.com/iam-admin/quotas"
        )
    if address.emulator and isinstance(cause, exceptions.ServiceUnavailable):
        return emulator_gone(address, _reason(cause))
    if isinstance(cause, exceptions.ServiceUnavailable | exceptions.DeadlineExceeded | FutureTimeoutError):
        return BrokerError(
            f"Pub/Sub did not respond in time to a request to {verb} {where}: is the network up?"
            f" ({_reason(cause)})"
        )
    return BrokerError(f"Pub/Sub refused to {verb} {where}: {_reason(cause)}")


def emulator_gone(address: PubSubAddress, why: str) -> BrokerError:
    """The error if nothing listens at the emulator's address, or it does not respond."""
    return BrokerError(
        f"the Pub/Sub emulator at {address.emulator} does not respond ({why}): start the local stack with"
        " `diptych up --broker pubsub`, or give --broker or DIPTYCH_BROKER_URL"
    )


def _not_found(error: Exception, address: PubSubAddress, where: str) -> BrokerError:
    if _NO_PROJECT in str(error).lower():
        return BrokerError(
            f"project {address.project} does not exist, or this identity cannot access it: check the broker"
            f" URL {address.url} ({_reason(error)})"
        )
    command = (
        "`diptych up --broker pubsub`"
        if address.emulator
        else f"`diptych deploy --project {address.project}`"
    )
    return BrokerError(f"{where} does not exist: create it with {command}")


def _credentials_error(error: Exception, address: PubSubAddress) -> BrokerError:
    from google.auth.exceptions import TransportError

    if isinstance(error, TransportError) or getattr(error, "retryable", False):
        return BrokerError(
            f"cannot sign in for Pub/Sub in project {address.project}: is the network up? ({_reason(error)})"
        )
    return _no_credentials(error, address)


def _no_credentials(error: Exception, address: PubSubAddress) -> BrokerError:
    return BrokerError(
        f"no Google credentials for project {address.project}, or they have expired: run `gcloud auth"
        f" application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS ({_reason(error)})"
    )


def _cause(error: Exception) -> Exception:
    """The underlying error if the client gave up retrying."""
    from google.api_core.exceptions import RetryError

    if isinstance(error, RetryError) and isinstance(error.cause, Exception):
        return error.cause
    return error


def _reason(error: Exception) -> str:
    text = " ".join(str(getattr(error, "message", "") or error).split()) or type(error).__name__
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}…"
