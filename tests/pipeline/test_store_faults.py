"""Both workers over a bucket that fails: delivered again, nothing lost, nothing doubled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import push_body, queued_message
from pipeline.protocol.http_response import HttpResponse, http_response
from pipeline.worker.handler import handle_dead_letter, handle_push
from pipeline.worker.runtime import Runtime
from results.documents import load
from results.naming import image_name, record_name
from results.record import Record
from results.stores.gcs import GcsStore
from results.targets import Target
from tests.support.builders.fakes import QuickEngine, a_runtime
from tests.support.builders.tasks import a_task
from tests.support.servers.gcs_fault_proxy import ALWAYS, GcsFaultProxy
from tests.support.servers.gcs_server import GcsServer

TARGETS: tuple[Target, ...] = ("container", "function")
IMAGES = 3


@pytest.fixture
def direct(gcs_server: GcsServer) -> GcsStore:
    """What really is in the bucket."""
    return GcsStore(gcs_server.new_bucket(), endpoint=gcs_server.url)


class Worker:
    """A worker whose store is reached through the proxy."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def push(self) -> HttpResponse:
        body = push_body(queued_message(a_task(image_count=IMAGES), "m1", utc_now()), "s", 1)
        return http_response(handle_push(body, self.runtime))


@pytest.fixture(params=TARGETS)
def worker(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    proxy: GcsFaultProxy,
    direct: GcsStore,
    monkeypatch: pytest.MonkeyPatch,
) -> Worker:
    bucket = direct.url.removeprefix("gs://").partition("?")[0]
    store = GcsStore(bucket, endpoint=proxy.url, deadline_s=0.5)
    target: Target = request.param
    return Worker(a_runtime(tmp_path, monkeypatch, engine=QuickEngine(), target=target, store=store))


def the_record(store: GcsStore, target: Target) -> Record:
    name = record_name("job-a", target, 0)
    return load(Record, store.read(name), name)


def check_all_is_there_once(store: GcsStore, target: Target) -> Record:
    record = the_record(store, target)
    expected = [image_name("job-a", target, index) for index in range(IMAGES)]
    assert [info.name for info in store.list("")] == [*expected, record_name("job-a", target, 0)]
    return record


LASTING: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "429": ({"status": 429, "text": "rateLimitExceeded"}, 503, "store_unavailable", "rateLimitExceeded"),
    "503": ({"status": 503}, 503, "store_unavailable", "the service has trouble"),
    "hang up": ({"kind": "hang_up"}, 503, "store_unavailable", "does not answer"),
    "cut": ({"kind": "cut_upload"}, 503, "store_unavailable", "the service has trouble"),
    "403": ({"status": 403, "text": "no access"}, 500, "store_refused", "roles/storage.objectUser"),
}


@pytest.mark.parametrize("part", ["/images/00000001.png", "/records/"])
@pytest.mark.parametrize("name", LASTING)
def test_given_back_while_the_store_fails_and_done_afterwards(
    worker: Worker, proxy: GcsFaultProxy, direct: GcsStore, name: str, part: str
) -> None:
    fault, status, reason, says = LASTING[name]
    proxy.order(**{"kind": "status", "method": "POST", "part": part, "times": ALWAYS, **fault})
    answer = worker.push()
    assert (answer.status, answer.headers) == (status, {"Retry-After": "5"} if status == 503 else {})
    assert answer.body.startswith(f"{reason}: ")
    assert says in answer.body
    assert answer.body.count("\n") == 1
    assert direct.stat(record_name("job-a", worker.runtime.target, 0)) is None

    proxy.mend()
    assert worker.push().status == 204
    record = check_all_is_there_once(direct, worker.runtime.target)
    found = IMAGES if part == "/records/" else IMAGES - 1
    assert (record.images_painted, record.images_found) == (IMAGES - found, found)


def test_a_store_that_cannot_even_be_asked(worker: Worker, proxy: GcsFaultProxy, direct: GcsStore) -> None:
    proxy.order("status", times=ALWAYS)
    assert worker.push().status == 503
    proxy.mend()
    assert list(direct.list("")) == []
    assert worker.push().status == 204


@pytest.mark.parametrize("kind", ["lose_answer", "cut_answer"])
@pytest.mark.parametrize("part", ["/images/", "/records/", ""])
def test_a_lost_answer_costs_nothing(
    worker: Worker, proxy: GcsFaultProxy, direct: GcsStore, part: str, kind: Any
) -> None:
    """What a 412 tells then is our own: no duplicate, and no image of another delivery."""
    times = {"/images/": IMAGES, "/records/": 1, "": 2}[part]
    proxy.order(kind, method="POST", part=part, times=times)
    assert worker.push().status == 204
    record = check_all_is_there_once(direct, worker.runtime.target)
    assert (record.images_painted, record.images_found) == (IMAGES, 0)
    assert len(proxy.uploads()) == IMAGES + 1 + times


def test_a_missing_bucket_counts_as_a_fault(
    tmp_path: Path, proxy: GcsFaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = GcsStore("no-such-bucket", endpoint=proxy.url, deadline_s=0.5)
    answer = Worker(a_runtime(tmp_path, monkeypatch, store=store)).push()
    assert answer.status == 500
    assert answer.body.startswith("store_refused: bucket gs://no-such-bucket does not exist: create it")


def test_missing_credentials_count_as_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    answer = Worker(a_runtime(tmp_path, monkeypatch, store=GcsStore("a-bucket"))).push()
    assert answer.status == 500
    assert answer.body.startswith("store_refused: no Google credentials for gs://a-bucket")
    assert answer.body.count("\n") == 1


def test_rejections_and_dead_letters_wait_for_the_store(worker: Worker, proxy: GcsFaultProxy) -> None:
    proxy.order("status", times=ALWAYS)
    letter = push_body(queued_message(a_task(), "m1", utc_now()), "s", 1)
    for result in (handle_push(b"junk", worker.runtime), handle_dead_letter(letter, worker.runtime)):
        assert http_response(result).status == 503
