"""A maker of OIDC tokens for offline runs: signs as Google does for Pub/Sub push, with a key of its own.

A worker takes its tokens when DIPTYCH_PUSH_CERTS_URL names the place where its certificates are served.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

ISSUER: Final = "https://accounts.google.com"
AUDIENCE: Final = "https://diptych.example/push"
EMAIL: Final = "diptych-push@local.iam.gserviceaccount.com"
LIFETIME_S: Final = 3600


class SigningKey:
    """An RSA key with a self-signed certificate, as Google publishes its own.

    Args:
        key_id: what tokens call it.
    """

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate = self._certificate()

    def sign(self, claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        """Make a token.

        Args:
            claims: its payload.
            header: fields that replace those of its header.
        """
        full = {"alg": "RS256", "kid": self.key_id, "typ": "JWT", **(header or {})}
        signed = f"{segment(full)}.{segment(claims)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"

    def _certificate(self) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local")])
        now = datetime.now(UTC)
        built = (
            x509.CertificateBuilder(name, name, self._key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(self._key, hashes.SHA256())
        )
        return built.public_bytes(serialization.Encoding.PEM).decode()


class LocalIssuer:
    """Signs tokens and serves its certificates on this machine, while it is entered.

    Args:
        max_age_s: how long it says that they may be kept.
    """

    def __init__(self, max_age_s: int = 300) -> None:
        self.keys = [SigningKey("local-1")]
        self.max_age_s = max_age_s
        self.fetches = 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(issuer.certificates()).encode()
                issuer.fetches += 1
                self.send_response(200)
                self.send_header("Cache-Control", f"public, max-age={issuer.max_age_s}, must-revalidate")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/certs"

    def certificates(self) -> dict[str, str]:
        """PEM by key id."""
        return {key.key_id: key.certificate for key in self.keys}

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one is published no more."""
        self.keys = [SigningKey(f"local-{int(self.keys[-1].key_id.rpartition('-')[2]) + 1}")]

    def token(self, **claims: Any) -> str:
        """A token as Pub/Sub sends it.

        Args:
            claims: replace those of its payload.
        """
        return self.keys[-1].sign(claims_now(**claims))

    def __enter__(self) -> LocalIssuer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def claims_now(**changes: Any) -> dict[str, Any]:
    """The claims of a token that Pub/Sub makes now; None takes one away.

    Source: https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions#jwt_format
    """
    now = int(time.time())
    claims = {
        "aud": AUDIENCE,
        "azp": "113774264463038321964",
        "email": EMAIL,
        "email_verified": True,
        "exp": now + LIFETIME_S,
        "iat": now,
        "iss": ISSUER,
        "sub": "113774264463038321964",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def segment(part: object) -> str:
    """A part of a token: JSON in base64url without padding."""
    return _base64(json.dumps(part).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
