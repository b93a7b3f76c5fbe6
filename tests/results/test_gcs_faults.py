"""The store in a bucket when the service or the line fails: tried again, told apart, never a short object."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import time
from collections.abc import Callable

import pytest
import requests

from results.errors import ObjectExists, ObjectNotFound, StoreError
from results.stores.base import Store
from results.stores.gcs import SINGLE_REQUEST_BYTES, GcsStore
from tests.support.servers.gcs_fault_proxy import ALWAYS, GcsFaultProxy
from tests.support.servers.gcs_server import GcsServer
from tests.support.servers.valkey import free_port

BINARY = "application/octet-stream"
DATA = random.Random(1).randbytes(5000)


@pytest.fixture
def bucket(gcs_server: GcsServer) -> str:
    return gcs_server.new_bucket()


@pytest.fixture
def direct(gcs_server: GcsServer, bucket: str) -> Store:
    """What really is in the bucket."""
    return GcsStore(bucket, "p/", endpoint=gcs_server.url)


@pytest.fixture
def store(proxy: GcsFaultProxy, bucket: str) -> GcsStore:
    return GcsStore(bucket, "p/", endpoint=proxy.url, deadline_s=10)


@pytest.fixture
def impatient(proxy: GcsFaultProxy, bucket: str) -> GcsStore:
    return GcsStore(bucket, "p/", endpoint=proxy.url, deadline_s=0.05)


CALLS: dict[str, Callable[[Store], object]] = {
    "create": lambda store: store.create("a/new", DATA, BINARY),
    "read": lambda store: store.read("a/x"),
    "look up": lambda store: store.stat("a/x"),
    "list": lambda store: [info.name for info in store.list("a/")],
    "list folders": lambda store: list(store.list_folders("")),
    "delete": lambda store: store.delete("a/x"),
}
PASSING = [
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "hang_up"},
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: str(fault.get("status", "hang up")))
def test_passing_trouble_is_tried_again(
    proxy: GcsFaultProxy, store: GcsStore, direct: Store, fault: dict[str, object]
) -> None:
    direct.create("a/x", DATA, BINARY)
    for name, call in CALLS.items():
        expected = call(direct) if name not in ("create", "delete") else None
        before = len(proxy.seen)
        proxy.order(**fault)  # type: ignore[arg-type]
        found = call(store)
        assert len(proxy.seen) == before + 2, name
        assert expected is None or found == expected, name
    assert direct.read("a/new") == DATA
    assert direct.stat("a/x") is None


@pytest.mark.parametrize(
    ("fault", "transient", "says"),
    [
        (
            {"status": 429, "text": "rateLimitExceeded"},
            True,
            "too many requests at once, or a quota is used up",
        ),
        ({"status": 503}, True, r"the service has trouble \(503, Backend Error\): try again"),
        ({"status": 403, "text": "x@y has no access"}, False, r"grant .*objectUser .*\(x@y has no access\)"),
        (
            {"kind": "hang_up"},
            True,
            r"emulator at http://127.0.0.1:\d+ does not answer .*`diptych up --broker",
        ),
    ],
    ids=["429", "503", "403", "hang up"],
)
@pytest.mark.parametrize("name", CALLS)
def test_lasting_trouble_is_one_clear_line(
    proxy: GcsFaultProxy,
    impatient: GcsStore,
    name: str,
    fault: dict[str, object],
    transient: bool,
    says: str,
) -> None:
    proxy.order(**{"kind": "status", "times": ALWAYS, **fault})  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=says) as caught:
        CALLS[name](impatient)
    assert caught.value.transient is transient
    assert "\n" not in str(caught.value)
    assert "uploadType" not in str(caught.value)


@pytest.mark.parametrize("kind", ["lose_answer", "cut_answer"])
def test_a_write_whose_answer_is_lost_is_our_own(
    proxy: GcsFaultProxy, store: GcsStore, direct: Store, kind: str
) -> None:
    proxy.order(kind, method="POST")  # type: ignore[arg-type]
    info = store.create("a/x", DATA, BINARY)
    assert len(proxy.uploads("a/x")) == 2
    assert info == direct.stat("a/x")
    assert direct.read("a/x") == DATA


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("kind", ["lose_answer", "cut_answer"])
def test_a_check_whose_answer_is_lost_passes_and_leaves_no_probe(
    proxy: GcsFaultProxy, store: GcsStore, gcs_server: GcsServer, bucket: str, kind: str, method: str
) -> None:
    proxy.order(kind, method=method)  # type: ignore[arg-type]
    store.check()
    listed = requests.get(f"{gcs_server.url}/storage/v1/b/{bucket}/o", timeout=20).json()
    assert listed.get("items", []) == []


def test_somebody_else_s_write_between_two_tries_is_not(
    proxy: GcsFaultProxy, store: GcsStore, direct: Store
) -> None:
    direct.create("a/x", DATA[::-1], BINARY)
    proxy.order("status", method="POST")
    with pytest.raises(ObjectExists):
        store.create("a/x", DATA, BINARY)
    assert direct.read("a/x") == DATA[::-1]


def test_the_same_content_is_somebody_else_s_where_nothing_failed(store: GcsStore, direct: Store) -> None:
    direct.create("a/x", DATA, BINARY)
    with pytest.raises(ObjectExists):
        store.create("a/x", DATA, BINARY)


def test_a_cut_upload_leaves_nothing_and_is_tried_again(
    proxy: GcsFaultProxy, store: GcsStore, impatient: GcsStore, direct: Store
) -> None:
    proxy.order("cut_upload", method="POST", times=ALWAYS)
    with pytest.raises(StoreError, match="the service has trouble") as caught:
        impatient.create("a/x", DATA, BINARY)
    assert caught.value.transient is True
    assert list(direct.list("")) == []
    proxy.mend()
    proxy.order("cut_upload", method="POST")
    store.create("a/x", DATA, BINARY)
    assert direct.read("a/x") == DATA


def test_a_large_upload_goes_on_after_a_part_is_lost(
    proxy: GcsFaultProxy, store: GcsStore, direct: Store
) -> None:
    data = random.Random(2).randbytes(SINGLE_REQUEST_BYTES + 1000)
    proxy.order("status", method="POST", part="uploadType=resumable")
    store.create("a/x", data, BINARY)
    assert direct.read("a/x") == data


def test_an_upload_carries_a_checksum_that_fits(proxy: GcsFaultProxy, store: GcsStore) -> None:
    """By it the service refuses what was damaged on the way; fake-gcs-server does not look."""
    import google_crc32c

    store.create("a/x", DATA, BINARY)
    (upload,) = proxy.uploads("a/x")
    sent = re.search(rb"\r\n\r\n(\{.*?\})\r\n", upload.body)
    assert sent
    about = json.loads(sent[1])
    crc = base64.b64encode(google_crc32c.value(DATA).to_bytes(4, "big")).decode()
    md5 = base64.b64encode(hashlib.md5(DATA, usedforsecurity=False).digest()).decode()
    assert about.get("crc32c") == crc or about.get("md5Hash") == md5
    assert upload.body.count(DATA) == 1


def test_a_damaged_answer_is_not_taken(proxy: GcsFaultProxy, impatient: GcsStore, direct: Store) -> None:
    direct.create("a/x", DATA, BINARY)
    proxy.order("damage_answer", times=ALWAYS)
    with pytest.raises(StoreError, match="damaged on its way here; try again") as caught:
        impatient.read("a/x")
    assert caught.value.transient is True


@pytest.mark.parametrize("name", ["read", "look up", "list"])
def test_a_cut_answer_is_asked_for_again(
    proxy: GcsFaultProxy, store: GcsStore, direct: Store, name: str
) -> None:
    direct.create("a/x", DATA, BINARY)
    proxy.order("cut_answer")
    assert CALLS[name](store) == CALLS[name](direct)
    assert len(proxy.seen) == 2


def test_a_slow_answer_is_waited_for_and_one_that_hangs_is_not(
    proxy: GcsFaultProxy, store: GcsStore, direct: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct.create("a/x", DATA, BINARY)
    monkeypatch.setattr("results.stores.gcs.TIMEOUT_S", (1.0, 0.5))
    proxy.order("none", delay_s=0.2)
    assert store.read("a/x") == DATA
    assert len(proxy.seen) == 1
    proxy.order("none", method="POST", delay_s=1.0)
    store.create("a/y", DATA, BINARY)  # written after its client had given up on the first try, or before it
    assert direct.read("a/y") == DATA
    assert len(proxy.uploads()) == 2


def test_nothing_is_asked_that_nobody_needs(proxy: GcsFaultProxy, store: GcsStore) -> None:
    """By itself the client would ask for the bucket too, in a thread of its own."""
    assert store.stat("a/x") is None
    store.create("a/x", DATA, BINARY)
    assert store.read("a/x") == DATA
    time.sleep(0.1)
    assert [each.method for each in proxy.seen] == ["GET", "POST", "GET"]


def test_an_emulator_that_is_not_running_is_told_at_once() -> None:
    store = GcsStore("a-bucket", endpoint=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(
        StoreError, match=r"does not answer \(Connection refused\): start .*`diptych up"
    ) as caught:
        store.read("a")
    assert caught.value.transient is True


@pytest.mark.parametrize("address", ["127.0.0.1:x", "http://[::1"])
def test_a_bad_address_of_an_emulator(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
    with pytest.raises(StoreError, match="bad STORAGE_EMULATOR_HOST"):
        GcsStore("a-bucket").read("a")


def test_a_missing_bucket_is_no_missing_object(gcs_server: GcsServer, store: GcsStore) -> None:
    with pytest.raises(StoreError, match="bucket gs://no-such-bucket does not exist: create it"):
        GcsStore("no-such-bucket", endpoint=gcs_server.url).read("a/x")
    with pytest.raises(ObjectNotFound):
        store.read("a/x")


@pytest.mark.parametrize(
    ("text", "kind"),
    [("No such object: b/o", ObjectNotFound), ("The specified bucket does not exist.", None)],
)
def test_the_service_s_own_words_are_enough(
    proxy: GcsFaultProxy, store: GcsStore, text: str, kind: type[StoreError] | None
) -> None:
    proxy.order("status", status=404, text=text)
    with pytest.raises(kind or StoreError, match="no such object" if kind else "does not exist: create it"):
        store.read("a/x")
    assert len(proxy.seen) == 1
