"""Who may push: every way in which a token can be wrong, in each mode, with locally made keys."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from typing import Any

import pytest

from benchmarks.delivery.oidc_issuer import AUDIENCE, EMAIL, LocalIssuer, SigningKey, claims_now, segment
from pipeline.auth.certificates import (
    CertificateCache,
    Certificates,
    CertificatesUnavailable,
    fetch_certificates,
)
from pipeline.auth.id_token import Expected
from pipeline.auth.push_auth import STRIPPED, PushAuth, Refusal, push_auth_of
from pipeline.config.settings import Settings
from pipeline.errors import SettingsError
from tests.support.servers.valkey import free_port

KEY, OTHER = SigningKey("one"), SigningKey("two")


class Google:
    """A source of certificates that can be away."""

    def __init__(self) -> None:
        self.keys = {KEY.key_id: KEY.certificate}
        self.away = False
        self.fetches = 0
        self.now_s = 1000.0

    def fetch(self) -> Certificates:
        self.fetches += 1
        if self.away:
            raise CertificatesUnavailable("no answer")
        return Certificates(dict(self.keys), 600.0)

    def cache(self) -> CertificateCache:
        return CertificateCache(self.fetch, clock=lambda: self.now_s)


def auth_of(mode: str, google: Google | None = None) -> PushAuth:
    return PushAuth(
        Expected(AUDIENCE, EMAIL), (google or Google()).cache(), stripped_is_checked=mode == "cloud-run"
    )


def ask(auth: PushAuth, token: str, **headers: str) -> Refusal | None:
    return auth.refusal({"Authorization": f"Bearer {token}", **headers})


def stripped(**claims: Any) -> str:
    return f"{KEY.sign(claims_now(**claims)).rpartition('.')[0]}.{STRIPPED}"


def unsigned(algorithm: str, signature: str = "") -> str:
    return f"{segment({'alg': algorithm, 'kid': 'one'})}.{segment(claims_now())}.{signature}"


def hmac_with_the_certificate() -> str:
    """The old trick: sign with HMAC, keyed with the public certificate that the checker holds."""
    head = f"{segment({'alg': 'HS256', 'kid': 'one'})}.{segment(claims_now())}"
    digest = hmac.new(KEY.certificate.encode(), head.encode(), hashlib.sha256).hexdigest()
    return f"{head}.{digest}"


NOW = int(time.time())
UNAUTHENTICATED: dict[str, str] = {
    "empty": "",
    "garbage": "garbage",
    "two segments": "a.b",
    "four segments": KEY.sign(claims_now()) + ".x",
    "not base64": "%%.%%.%%",
    "not JSON": "YWJj.YWJj.YWJj",
    "not an object": f"{segment([])}.{segment([])}.YWJj",
    "brackets": f"{segment({})}.{'W1tb' * 1900}.YWJj",
    "too long": KEY.sign(claims_now(sub="x" * 9000)),
    "two tokens": KEY.sign(claims_now()) + "," + KEY.sign(claims_now()),
    "alg none": unsigned("none"),
    "alg none, some signature": unsigned("none", "YWJj"),
    "HS256 with the certificate": hmac_with_the_certificate(),
    "alg ES256": unsigned("ES256", "YWJj"),
    "signed with another key": OTHER.sign(claims_now(), {"kid": "one"}),
    "unknown key": OTHER.sign(claims_now()),
    "no key id": KEY.sign(claims_now(), {"kid": None}),
    "key id of a wrong type": KEY.sign(claims_now(), {"kid": ["one"]}),
    "claims changed": KEY.sign(claims_now()).split(".")[0]
    + f".{segment(claims_now(sub='1'))}."
    + KEY.sign(claims_now()).split(".")[2],
    "expired": KEY.sign(claims_now(iat=NOW - 7200, exp=NOW - 3600)),
    "not valid yet": KEY.sign(claims_now(iat=NOW + 3600, exp=NOW + 7200)),
    "nbf ahead": KEY.sign(claims_now(nbf=NOW + 3600)),
    "no exp": KEY.sign(claims_now(exp=None)),
    "no iat": KEY.sign(claims_now(iat=None)),
    "exp in words": KEY.sign(claims_now(exp="tomorrow")),
    "exp true": KEY.sign(claims_now(exp=True)),
    "exp without end": KEY.sign(claims_now(exp=10**400)),
}
WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "issuer": {"iss": "https://accounts.google.com.example"},
    "no issuer": {"iss": None},
    "audience": {"aud": "https://elsewhere.example"},
    "no audience": {"aud": None},
    "list of audiences": {"aud": [AUDIENCE]},
    "email": {"email": "someone@local.iam.gserviceaccount.com"},
    "no email": {"email": None},
    "email not verified": {"email_verified": False},
    "no email_verified": {"email_verified": None},
    "email_verified in words": {"email_verified": "true"},
}


@pytest.mark.parametrize("mode", ["verify", "cloud-run"])
def test_a_good_token_passes(mode: str) -> None:
    assert ask(auth_of(mode), KEY.sign(claims_now())) is None
    assert ask(auth_of(mode), KEY.sign(claims_now(iss="accounts.google.com"))) is None
    assert auth_of(mode).refusal({"Authorization": f"bearer  {KEY.sign(claims_now())}"}) is None


@pytest.mark.parametrize("mode", ["verify", "cloud-run"])
@pytest.mark.parametrize("name", UNAUTHENTICATED)
def test_what_is_401(mode: str, name: str, caplog: pytest.LogCaptureFixture) -> None:
    token = UNAUTHENTICATED[name]
    with caplog.at_level(logging.DEBUG):
        refusal = ask(auth_of(mode), token)
    assert refusal is not None
    assert (refusal.status, refusal.headers) == (401, {"WWW-Authenticate": "Bearer"})
    assert refusal.body.count("\n") == 1
    for secret in [part for part in token.replace(",", ".").split(".") if len(part) > 8]:
        assert secret not in refusal.body + caplog.text


@pytest.mark.parametrize("authorization", ["", "Basic dTpw", "Bearer", "Bearer "])
def test_no_token_is_401(authorization: str) -> None:
    refusal = auth_of("verify").refusal({"Authorization": authorization} if authorization else {})
    assert refusal is not None
    assert refusal.status == 401


@pytest.mark.parametrize("mode", ["verify", "cloud-run"])
@pytest.mark.parametrize("name", WRONG_CLAIMS)
def test_what_is_403(mode: str, name: str) -> None:
    claims = WRONG_CLAIMS[name]
    refusal = ask(auth_of(mode), KEY.sign(claims_now(**claims)))
    assert refusal is not None
    assert refusal.status == 403
    for value in claims.values():
        assert not isinstance(value, str) or value == "true" or value not in refusal.body


def test_clocks_may_stand_a_little_apart() -> None:
    now = int(time.time())  # NOW is as old as this module
    for claims in ({"exp": now - 5, "iat": now - 3600}, {"iat": now + 15}):
        assert ask(auth_of("verify"), KEY.sign(claims_now(**claims))) is None


class TestStripped:
    """The form that private Cloud Run passes on."""

    def test_verify_mode_refuses_it(self) -> None:
        refusal = ask(auth_of("verify"), stripped())
        assert refusal is not None
        assert refusal.status == 401
        assert "cloud-run" in refusal.body

    def test_cloud_run_mode_takes_it_without_asking_google(self) -> None:
        google = Google()
        google.away = True
        assert ask(auth_of("cloud-run", google), stripped()) is None
        assert google.fetches == 0

    @pytest.mark.parametrize("name", WRONG_CLAIMS)
    def test_its_claims_are_checked(self, name: str) -> None:
        refusal = ask(auth_of("cloud-run"), stripped(**WRONG_CLAIMS[name]))
        assert refusal is not None
        assert refusal.status == 403

    @pytest.mark.parametrize("claims", [{"exp": NOW - 3600}, {"iat": NOW + 3600}, {"exp": None}])
    def test_its_times_are_checked(self, claims: dict[str, Any]) -> None:
        refusal = ask(auth_of("cloud-run"), stripped(**claims))
        assert refusal is not None
        assert refusal.status == 401

    def test_a_signature_that_nobody_removed_is_verified(self) -> None:
        refusal = ask(auth_of("cloud-run"), OTHER.sign(claims_now(), {"kid": "one"}))
        assert refusal is not None
        assert refusal.status == 401

    def test_a_token_that_the_platform_did_not_look_at(self) -> None:
        """Anyone who may invoke the service could write it beside a token of his own."""
        refusal = ask(auth_of("cloud-run"), stripped(), **{"X-Serverless-Authorization": "Bearer x"})
        assert refusal is not None
        assert refusal.status == 401


class TestCertificates:
    """Fetched once, kept for their time, fetched again for a new key; away is 503, not 401."""

    def test_kept_for_their_max_age(self) -> None:
        google = Google()
        auth = auth_of("verify", google)
        for _ in range(5):
            assert ask(auth, KEY.sign(claims_now())) is None
        assert google.fetches == 1
        google.now_s += 601
        assert ask(auth, KEY.sign(claims_now())) is None
        assert google.fetches == 2

    def test_away_is_503_and_asked_again_soon(self) -> None:
        google = Google()
        google.away = True
        auth = auth_of("verify", google)
        for _ in range(5):
            refusal = ask(auth, KEY.sign(claims_now()))
            assert refusal is not None
            assert (refusal.status, refusal.headers) == (503, {"Retry-After": "5"})
        assert google.fetches == 1
        google.away = False
        google.now_s += 6
        assert ask(auth, KEY.sign(claims_now())) is None

    def test_away_while_the_key_is_at_hand(self) -> None:
        google = Google()
        auth = auth_of("verify", google)
        assert ask(auth, KEY.sign(claims_now())) is None
        google.away = True
        google.now_s += 61
        refusal = ask(auth, OTHER.sign(claims_now()))
        assert refusal is not None
        assert refusal.status == 503
        assert ask(auth, KEY.sign(claims_now())) is None

    def test_a_new_key_is_fetched_and_the_old_one_forgotten(self) -> None:
        google = Google()
        auth = auth_of("verify", google)
        assert ask(auth, KEY.sign(claims_now())) is None
        google.keys = {OTHER.key_id: OTHER.certificate}
        google.now_s += 61
        assert ask(auth, OTHER.sign(claims_now())) is None
        refusal = ask(auth, KEY.sign(claims_now()))
        assert refusal is not None
        assert refusal.status == 401

    def test_invented_keys_cost_one_request_a_minute(self) -> None:
        google = Google()
        auth = auth_of("verify", google)
        for number in range(50):
            refusal = ask(auth, OTHER.sign(claims_now(), {"kid": f"invented-{number}"}))
            assert refusal is not None
            assert refusal.status == 401
        assert google.fetches == 1

    def test_a_certificate_that_is_none_is_503(self) -> None:
        google = Google()
        google.keys = {KEY.key_id: "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"}
        refusal = ask(auth_of("verify", google), KEY.sign(claims_now()))
        assert refusal is not None
        assert refusal.status == 503

    def test_fetched_over_http(self) -> None:
        with LocalIssuer(max_age_s=1234) as issuer:
            found = fetch_certificates(issuer.url)
            assert (dict(found.by_key_id), found.max_age_s) == (issuer.certificates(), 1234.0)
            with pytest.raises(CertificatesUnavailable):
                fetch_certificates(f"http://127.0.0.1:{free_port()}/certs")


class TestSettings:
    """Nothing is left to guess."""

    def test_nothing_said(self) -> None:
        with pytest.raises(SettingsError, match="DIPTYCH_PUSH_AUTH") as caught:
            push_auth_of(Settings())
        assert "\n" not in str(caught.value)

    def test_off_in_words(self) -> None:
        assert push_auth_of(Settings(push_auth="off")) is None

    @pytest.mark.parametrize("missing", ["push_audience", "push_email"])
    @pytest.mark.parametrize("mode", ["verify", "cloud-run"])
    def test_what_a_check_needs(self, mode: Any, missing: str) -> None:
        given = {"push_audience": AUDIENCE, "push_email": EMAIL, missing: ""}
        with pytest.raises(SettingsError, match=f"DIPTYCH_{missing.upper()}"):
            push_auth_of(Settings(push_auth=mode, **given))  # type: ignore[arg-type]
