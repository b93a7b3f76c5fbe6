"""Who may push to the app: refusals come before the body is read, and leave nothing in the store."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from benchmarks.delivery.oidc_issuer import AUDIENCE, EMAIL, LocalIssuer
from pipeline.config.settings import Settings
from pipeline.errors import SettingsError
from pipeline.worker.runtime import Runtime
from tests.support.builders.fakes import a_runtime
from tests.worker_container.test_app import app_over, body
from worker_container.app import create_app

PATHS = ("/", "/dead-letter")


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with LocalIssuer() as running:
        yield running


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, issuer: LocalIssuer) -> Runtime:
    return a_runtime(
        tmp_path / "store",
        monkeypatch,
        push_auth="verify",
        push_audience=AUDIENCE,
        push_email=EMAIL,
        push_certs_url=issuer.url,
    )


@pytest.fixture
def client(runtime: Runtime) -> FlaskClient:
    return app_over(runtime).test_client()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Unread(io.RawIOBase):
    """A body that must not be read."""

    def readinto(self, _: Any) -> int:
        raise AssertionError("the body was read")

    def readable(self) -> bool:
        return True


def unread(length: int) -> dict[str, Any]:
    return {"wsgi.input": Unread(), "CONTENT_LENGTH": str(length)}


def test_a_signed_push_is_handled(client: FlaskClient, issuer: LocalIssuer) -> None:
    assert client.post("/", data=body(), headers=bearer(issuer.token())).status_code == 204


@pytest.mark.parametrize("path", PATHS)
def test_refused_unread(
    client: FlaskClient, runtime: Runtime, issuer: LocalIssuer, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    forged = issuer.token(email="someone@else.example")
    with caplog.at_level(logging.DEBUG):
        for headers, status in (({}, 401), (bearer("junk"), 401), (bearer(forged), 403)):
            answer = client.post(path, environ_overrides=unread(100), headers=headers)
            assert answer.status_code == status
            assert answer.data.count(b"\n") == 1
            assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert not list(runtime.store.list(""))
    assert forged not in caplog.text
    assert "someone@else.example" not in caplog.text


def test_an_oversize_body_is_not_kept_for_a_stranger(client: FlaskClient, runtime: Runtime) -> None:
    answer = client.post("/", environ_overrides=unread(10**9))
    assert (answer.status_code, answer.headers["Connection"]) == (401, "close")
    assert not list(runtime.store.list(""))


def test_health_asks_for_no_token(client: FlaskClient) -> None:
    assert client.get("/health/live").status_code == 200


def test_what_is_not_there_is_not_shown_to_strangers(client: FlaskClient) -> None:
    assert client.post("/elsewhere").status_code == 401


def test_nothing_said_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DIPTYCH_PUSH_AUTH"):
        create_app(Settings(store_url=tmp_path.as_uri()))
