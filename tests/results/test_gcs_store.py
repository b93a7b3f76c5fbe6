"""What is peculiar to the store in a bucket: addresses, credentials, and what each HTTP status means."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.auth.exceptions import RefreshError, TransportError

from results.errors import ObjectExists, StoreError
from results.stores.gcs import GcsStore
from results.stores.gcs_errors import client_errors, store_error
from results.stores.open import open_store
from tests.support.servers.gcs_server import GcsServer
from tests.support.servers.valkey import free_port

BINARY = "application/octet-stream"


def test_opens_what_its_url_names() -> None:
    assert open_store("gs://my-bucket").url == "gs://my-bucket"
    assert open_store("gs://my-bucket/a/b/").url == "gs://my-bucket/a/b"
    url = "gs://my-bucket/a?endpoint=http://127.0.0.1:7434"
    assert open_store(url).url == url


@pytest.mark.parametrize(
    "url",
    [
        *("gs://", "gs://A", "gs://-a-", "gs:///x", "gs://bucket/a/../b", "gs://bucket/a//b"),
        *("gs://bucket?", "gs://bucket?x=1", "gs://bucket?endpoint=127.0.0.1:7434"),
        "gs://bucket?endpoint=file:///etc",
    ],
)
def test_refuses_other_urls(url: str) -> None:
    with pytest.raises(StoreError, match=r"bad (store URL|object name)") as caught:
        open_store(url)
    assert caught.value.transient is False


def test_an_emulator_in_the_url_wins_over_the_variable(
    gcs_server: GcsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
    store = open_store(f"gs://{gcs_server.new_bucket()}/p?endpoint={gcs_server.url}")
    store.check()
    store.create("a/x", b"1", BINARY)
    assert store.read("a/x") == b"1"
    assert [info.name for info in store.list("")] == ["a/x"]


def test_keeps_to_its_prefix(gcs_server: GcsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.url)
    bucket = gcs_server.new_bucket()
    whole, inner, other = GcsStore(bucket), GcsStore(bucket, "in/"), GcsStore(bucket, "inner/")
    inner.create("a/x", b"1", BINARY)
    other.create("a/y", b"2", BINARY)
    assert [info.name for info in inner.list("")] == ["a/x"]
    assert [info.name for info in whole.list("")] == ["in/a/x", "inner/a/y"]
    assert list(whole.list_folders("")) == ["in", "inner"]
    assert set(inner.find(["a/x", "a/y"])) == {"a/x"}


def test_serves_many_threads_from_kept_connections(
    gcs_store: GcsStore, caplog: pytest.LogCaptureFixture
) -> None:
    gcs_store.create("a/x", b"1", BINARY)
    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(32) as pool:
        assert list(pool.map(lambda _: gcs_store.read("a/x"), range(200))) == [b"1"] * 200
    assert caplog.records == []


def test_a_missing_bucket_is_lasting_trouble(gcs_server: GcsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.url)
    store = GcsStore("no-such-bucket")
    for call in (store.check, lambda: store.create("a", b"", BINARY), lambda: list(store.list(""))):
        with pytest.raises(
            StoreError, match="bucket gs://no-such-bucket does not exist: create it"
        ) as caught:
            call()
        assert caught.value.transient is False


def test_no_answer_is_passing_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
    store = GcsStore("a-bucket", deadline_s=0.05)
    for call in (
        lambda: store.read("a"),
        lambda: store.create("a", b"", BINARY),
        lambda: list(store.list("")),
    ):
        with pytest.raises(StoreError, match="does not answer") as caught:
            call()
        assert caught.value.transient is True
        assert "\n" not in str(caught.value)


class Refuser(ThreadingHTTPServer):
    """Answers every request with one status; if so told, all but uploads."""

    status = 503
    created_anyway = False
    daemon_threads = True


class RefuserHandler(BaseHTTPRequestHandler):
    server: Refuser

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        created = self.server.created_anyway and self.command == "POST"
        body = b"{}" if created else b""
        self.send_response(200 if created else self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refuser() -> Iterator[Refuser]:
    with Refuser(("127.0.0.1", 0), RefuserHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "transient", "text"),
    [
        (400, False, "cannot"),
        (401, False, "no Google credentials"),
        (403, False, "grant this identity roles/storage.objectUser"),
        (408, True, "cannot"),
        (429, True, "cannot"),
        (500, True, "cannot"),
        (503, True, "cannot"),
    ],
)
def test_tells_passing_trouble_from_lasting(
    refuser: Refuser, monkeypatch: pytest.MonkeyPatch, status: int, transient: bool, text: str
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{refuser.server_port}")
    refuser.status = status
    store = GcsStore("a-bucket", deadline_s=0.05)
    for call in (
        lambda: store.create("a/x", b"", BINARY),
        lambda: store.read("a/x"),
        lambda: store.stat("a/x"),
        lambda: list(store.list("a/")),
        lambda: list(store.list_folders("a/")),
        lambda: store.delete("a/x"),
        lambda: store.check(),
    ):
        with pytest.raises(StoreError, match=text) as caught:
            call()
        assert caught.value.transient is transient


@pytest.mark.parametrize(("status", "fails"), [(403, False), (503, True)])
def test_a_worker_need_not_be_allowed_to_delete(
    refuser: Refuser, monkeypatch: pytest.MonkeyPatch, status: int, fails: bool
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{refuser.server_port}")
    refuser.status, refuser.created_anyway = status, True
    store = GcsStore("a-bucket", deadline_s=0.05)
    if fails:
        with pytest.raises(StoreError, match="cannot delete"):
            store.check()
    else:
        store.check()


def test_a_retried_create_that_had_succeeded_is_told_as_existing(gcs_store: GcsStore) -> None:
    """An answer lost on the way: the client asks again and meets its own object."""
    gcs_store.create("a/x", b"1", BINARY)
    with pytest.raises(ObjectExists):
        gcs_store.create("a/x", b"1", BINARY)


def test_missing_credentials_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", os.devnull + "-none")
    with pytest.raises(StoreError, match="gcloud auth application-default login") as caught:
        GcsStore("a-bucket").read("a")
    assert caught.value.transient is False


@pytest.mark.parametrize(
    ("kind", "details", "transient"),
    [(TransportError, {}, True), (RefreshError, {"retryable": True}, True), (RefreshError, {}, False)],
)
def test_signing_in_may_fail_for_a_while(
    kind: type[Exception], details: dict[str, bool], transient: bool
) -> None:
    error = kind("no route to\nthe token server", **details)
    assert isinstance(error, client_errors())
    found = store_error(error, "read", "a", "gs://a-bucket")
    assert found.transient is transient
    assert "\n" not in str(found)
