"""Who is kept out, and what a browser is told to refuse."""

from __future__ import annotations

import resource
import selectors
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

from results.documents import JSON_TYPE, dump
from results.naming import manifest_name
from results.stores.directory import DirectoryStore
from tests.support import missing
from tests.support.builders.pictures import JOB, manifest
from tests.support.servers.page_server import PageServer
from webpage.app_state import MAX_STREAMS

BODY = {"count": 4, "model": "faces-64"}


@pytest.mark.parametrize(
    "path", ["/", f"/jobs/{JOB}", "/nowhere", "/api/form-options", "/api/jobs/none", "/assets/x/y"]
)
def test_every_answer_carries_the_policy(page: PageServer, path: str) -> None:
    headers = page.get(path, headers={"Accept": "text/html"}).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": ""},
        {"Origin": "null"},
        {"X_Diptych_Token": "guessed"},
        {"X_Diptych_Token": ""},
    ],
)
@pytest.mark.parametrize("path", ["/api/jobs", f"/api/jobs/{JOB}/cancel"])
def test_another_site_cannot_submit_or_cancel(page: PageServer, path: str, headers: dict[str, str]) -> None:
    assert page.post(path, BODY, **headers).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7435", "127.0.0.1.evil.example", "[", ""])
def test_a_foreign_name_for_this_machine_is_refused(page: PageServer, host: str) -> None:
    assert page.get("/api/form-options", headers={"Host": host}).status_code in (400, 403)


def test_without_a_broker_a_job_is_refused_in_words(page: PageServer) -> None:
    answer = page.post("/api/jobs", BODY)
    assert answer.status_code == 400
    assert "broker" in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"count": "4", "model": "m"},
        {"count": 1, "model": "m", "more": 1},
        {"count": 1, "model": "m" * 101},
        [],
    ],
)
def test_a_body_that_is_no_request_is_refused(page: PageServer, body: object) -> None:
    assert page.post("/api/jobs", body).status_code == 400


def test_a_huge_body_is_refused(page: PageServer) -> None:
    assert page.post("/api/jobs", {"model": "x" * 100_000}).status_code == 413


def test_it_listens_on_loopback_alone(page: PageServer) -> None:
    own = socket.gethostbyname(socket.gethostname())
    if own.startswith("127."):
        pytest.skip(missing.ADDRESS)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((own, page.port), timeout=2)


def test_ten_thousand_event_streams_are_turned_away_and_harm_nobody(tmp_path: Path) -> None:
    """As many connections at once as this process may hold, again and again until there were 10,000."""
    store = DirectoryStore(tmp_path / "results")
    store.create(manifest_name(JOB), dump(manifest()), JSON_TYPE)  # a job that never ends
    server = PageServer(store.url, tmp_path)
    try:
        server.wait()
        request = f"GET /api/jobs/{JOB}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        at_once = min(500, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        told: Counter[bytes] = Counter()
        for _ in range(-(-10_000 // at_once)):
            clients = [_connect(server.port, request) for _ in range(at_once)]
            answers = _answers(clients, 5.0)
            assert answers[b"200"] <= MAX_STREAMS
            told += answers
            assert server.get("/api/form-options").status_code == 200, "others are served beside them"
            for client in clients:
                client.close()
        assert told[b"200"] >= MAX_STREAMS
        assert told[b"503"] > 1000
        assert {*told} == {b"200", b"503"}
        assert "Traceback" not in server.log()
    finally:
        server.stop()


def _connect(port: int, request: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(request)
    client.setblocking(False)
    return client


def _answers(clients: list[socket.socket], limit_s: float) -> Counter[bytes]:
    """The statuses that were answered within a time or until all were."""
    found: Counter[bytes] = Counter()
    deadline = time.monotonic() + limit_s
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        while selector.get_map() and time.monotonic() < deadline:
            for key, _ in selector.select(0.2):
                selector.unregister(key.fileobj)
                assert isinstance(key.fileobj, socket.socket)
                found[key.fileobj.recv(64).split(b" ")[1]] += 1
    return found
