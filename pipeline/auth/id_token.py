"""An OIDC token (a JWT, RFC 7519): taken apart, its claims checked, its signature checked.

google-auth checks the signature. The rest is here, since its own `jwt.decode` does not look at `nbf`, takes
more algorithms than Google signs with, lets a type error or a recursion error escape on a forged token, and
quotes tokens in its error texts. Nothing here quotes a token: what it raises may be logged.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json

from pipeline.auth.certificates import CertificatesUnavailable

ISSUERS: Final = ("accounts.google.com", "https://accounts.google.com")
ALGORITHM: Final = "RS256"
"""What Google signs with. A token does not choose: no `none`, no HMAC keyed with a public certificate."""
SKEW_S: Final = 30.0
"""How far this clock and Google's may stand apart."""
MAX_TOKEN_CHARS: Final = 8192
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+")


class Unauthenticated(Exception):
    """Who sends this is not known: 401. The text says why, in words."""


class Forbidden(Exception):
    """It is known who sends this, and it is not whom the settings name: 403."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose tokens are taken.

    Args:
        audience: the `aud` that the push subscription was given.
        email: the service account that it signs as.
    """

    audience: str
    email: str


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart, nothing of it checked yet.

    Args:
        key_id: `kid` of the header, or "".
        algorithm: `alg` of the header, or "".
        claims: the payload.
        signed: what the signature is over.
        signature: the third segment, as it came.
    """

    key_id: str
    algorithm: str
    claims: Mapping[str, Any]
    signed: bytes
    signature: str


def parse_token(text: str) -> Token:
    """Take a token apart.

    Raises:
        Unauthenticated: it is none.
    """
    segments = text.split(".")
    if len(text) > MAX_TOKEN_CHARS or len(segments) != 3:
        raise Unauthenticated("the token is not a JWT")
    header, claims = (_object(segment) for segment in segments[:2])
    return Token(
        key_id=_text(header.get("kid")),
        algorithm=_text(header.get("alg")),
        claims=claims,
        signed=f"{segments[0]}.{segments[1]}".encode(),
        signature=segments[2],
    )


def check_claims(claims: Mapping[str, Any], expected: Expected, now_s: float) -> None:
    """Check when a token is valid, who made it, for whom, and about whom.

    Args:
        claims: its payload.
        expected: whose tokens are taken.
        now_s: seconds since the epoch.
    Raises:
        Unauthenticated: it has expired, or is not valid yet.
        Forbidden: another issuer, audience or service account.
    """
    if now_s > _time(claims, "exp") + SKEW_S:
        raise Unauthenticated("the token has expired")
    starts = [_time(claims, "iat"), *([_time(claims, "nbf")] if "nbf" in claims else [])]
    if now_s < max(starts) - SKEW_S:
        raise Unauthenticated("the token is not valid yet: do the clocks agree?")
    if claims.get("iss") not in ISSUERS:
        raise Forbidden("the token's issuer is not Google")
    if claims.get("aud") != expected.audience:
        raise Forbidden(f"the token is for another audience than {expected.audience}")
    if claims.get("email") != expected.email:
        raise Forbidden(f"the token is about another account than {expected.email}")
    if claims.get("email_verified") is not True:
        raise Forbidden("the token's email is not verified")


def check_signature(token: Token, certificate: str) -> None:
    """Check a token's signature.

    Args:
        token: whose algorithm the caller has found to be ALGORITHM.
        certificate: of the key that it names, in PEM.
    Raises:
        Unauthenticated: the signature does not fit.
        CertificatesUnavailable: the certificate cannot be read: nothing is known about the token.
    """
    from google.auth import crypt

    signature = _base64(token.signature)
    try:
        fits = crypt.verify_signature(token.signed, signature, certificate, crypt.RSAVerifier)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError) as error:
        raise CertificatesUnavailable("the certificate of the token's key cannot be read") from error
    if not fits:
        raise Unauthenticated("the token's signature does not fit")


def _object(segment: str) -> Mapping[str, Any]:
    try:
        # pydantic's parser bounds the depth: no RecursionError from a token of brackets.
        found = from_json(_base64(segment), allow_inf_nan=False)
    except ValueError as error:
        raise Unauthenticated("the token is not a JWT") from error
    if not isinstance(found, Mapping):
        raise Unauthenticated("the token is not a JWT")
    return found


def _base64(segment: str) -> bytes:
    if not _SEGMENT.fullmatch(segment):
        raise Unauthenticated("the token is not a JWT")
    try:
        return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error as error:
        raise Unauthenticated("the token is not a JWT") from error


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= 2**53:
        raise Unauthenticated(f"the token's `{name}` is not a time")
    return float(value)
