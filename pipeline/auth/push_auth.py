"""Who may push: the OIDC token that a push subscription sends, checked as the setting `push_auth` says.

`verify`     the app checks everything, the signature too. For every place but the next.
`cloud-run`  a private Cloud Run service: Google's front end has checked the token, and that its account may
             invoke the service, before the app sees the request.
`off`        nobody is asked. For a network that nobody else reaches.

What Cloud Run does (https://cloud.google.com/run/docs/troubleshooting#signature-removed and
https://cloud.google.com/run/docs/authenticating/service-to-service): it replaces the signature of the token
that it has checked by SIGNATURE_REMOVED_BY_GOOGLE, so that the app cannot be made to replay it. So in
`cloud-run` mode:

- the marker stands for a checked signature, and only the claims are left to check. Anyone can write the
  marker: this mode is sound only where the platform lets nobody else through, which `doctor` proves.
- a signature that is not the marker has not been through that check. Taking its claims at their word would
  ask for less than `verify` does, so it is verified in full. Should Google stop stripping, all goes on.
- where a request carries X-Serverless-Authorization, the platform has checked that header *instead*, and
  passes Authorization on as it came: whoever may invoke the service could write another account's name and
  the marker there. Pub/Sub never sends that header, so such a request is refused.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipeline.auth.certificates import CertificateCache, CertificatesUnavailable, fetch_certificates
from pipeline.auth.id_token import (
    ALGORITHM,
    Expected,
    Forbidden,
    Token,
    Unauthenticated,
    check_claims,
    check_signature,
    parse_token,
)
from pipeline.config.settings import Settings
from pipeline.errors import SettingsError
from pipeline.protocol.trace_ids import Headers

STRIPPED: Final = "SIGNATURE_REMOVED_BY_GOOGLE"
CERTIFICATES_RETRY_S: Final = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What to answer instead of handling a request.

    Args:
        status: 401, 403, or 503 where the token could not be checked now.
        headers: that the status asks for.
        body: one line; nothing of the token is in it.
    """

    status: int
    headers: dict[str, str]
    body: str


class PushAuth:
    """Decides about requests by their headers.

    Args:
        expected: whose tokens are taken.
        certificates: Google's.
        stripped_is_checked: take the marker for a checked signature (`cloud-run`).
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        expected: Expected,
        certificates: CertificateCache,
        *,
        stripped_is_checked: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._expected = expected
        self._certificates = certificates
        self._stripped_is_checked = stripped_is_checked
        self._clock = clock

    def refusal(self, headers: Headers) -> Refusal | None:
        """What to answer a request with, or None if it may be handled. Reads nothing but its headers."""
        try:
            self._check(headers)
        except Unauthenticated as error:
            return _refuse(401, f"unauthenticated: {error}", {"WWW-Authenticate": "Bearer"})
        except Forbidden as error:
            return _refuse(403, f"forbidden: {error}", {})
        except CertificatesUnavailable as error:
            retry = {"Retry-After": str(CERTIFICATES_RETRY_S)}
            return _refuse(503, f"certificates_unavailable: {error}", retry)
        return None

    def _check(self, headers: Headers) -> None:
        token = parse_token(_bearer(headers.get("Authorization", "")))
        if self._stripped_is_checked and headers.get("X-Serverless-Authorization", ""):
            raise Unauthenticated("X-Serverless-Authorization was checked in the token's place")
        if not (self._stripped_is_checked and token.signature == STRIPPED):
            self._verify(token)
        check_claims(token.claims, self._expected, self._clock())

    def _verify(self, token: Token) -> None:
        """Before the claims: what an unsigned token says decides nothing."""
        if token.signature == STRIPPED:
            raise Unauthenticated("the token's signature was removed: on Cloud Run, set push_auth=cloud-run")
        if token.algorithm != ALGORITHM:
            raise Unauthenticated(f"the token is not signed with {ALGORITHM}")
        certificate = self._certificates.find(token.key_id)
        if not certificate:
            raise Unauthenticated("the token is signed with an unknown key")
        check_signature(token, certificate)


def push_auth_of(settings: Settings) -> PushAuth | None:
    """What checks a worker's pushes; None if the settings say, in words, that nobody does.

    Raises:
        SettingsError: they do not say, or lack what the check needs.
    """
    if settings.push_auth is None:
        raise SettingsError(
            "nothing says who may push: set DIPTYCH_PUSH_AUTH to verify or cloud-run, or to off where nobody "
            "else reaches this worker"
        )
    if settings.push_auth == "off":
        return None
    for name in ("push_audience", "push_email"):
        if not getattr(settings, name):
            raise SettingsError(
                f"DIPTYCH_PUSH_AUTH={settings.push_auth} needs DIPTYCH_{name.upper()}: what the push "
                "subscription was given"
            )
    url = settings.push_certs_url
    return PushAuth(
        Expected(settings.push_audience, settings.push_email),
        CertificateCache(lambda: fetch_certificates(url)),
        stripped_is_checked=settings.push_auth == "cloud-run",
    )


def _bearer(value: str) -> str:
    scheme, _, token = value.partition(" ")
    if not value:
        raise Unauthenticated("no token: the push subscription must send one")
    if scheme.lower() != "bearer":
        raise Unauthenticated("the Authorization header holds no Bearer token")
    return token.strip(" ")


def _refuse(status: int, text: str, headers: dict[str, str]) -> Refusal:
    _log.warning("push refused with %d: %s", status, text)
    return Refusal(status, headers, f"{text}\n")
