"""The function as it is deployed: the bundle alone, under the real functions-framework."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cloudevents.conversion import to_binary, to_structured

from model.registry import Registry
from pipeline.models.push import push_model
from pipeline.protocol.envelope import push_body
from results.stores.open import open_store
from tests.support.builders.checkpoints import save_tiny
from tests.support.servers.function_site import Site, event_of
from tests.support.servers.gcs_fault_proxy import gcs_fault_proxy
from tests.support.servers.gcs_server import GcsServer, find_binary
from tests.support.waiting import wait_until


@pytest.mark.parametrize(("index", "convert"), [(0, to_binary), (1, to_structured)])
def test_a_real_cloud_event(site: Site, index: int, convert: Any) -> None:
    task = site.task(index)
    headers, body = convert(event_of(site.message(task)))
    answer = site.push(body, headers)
    assert answer.status_code == 204, site.server.text()
    record = site.record(task)
    assert (record.target, record.message_id, record.engine) == ("function", f"m{index}", "openvino")
    assert record.published_at is not None


def test_a_pushed_model_needs_no_new_bundle(site: Site, tmp_path: Path) -> None:
    digest = save_tiny(tmp_path, name="fresh", width=12)
    push_model(site.store, Registry(tmp_path).get("fresh"))
    task = site.task(20, model="fresh", model_digest=digest)
    answer = site.push(push_body(site.message(task), "projects/p/subscriptions/s", 1))
    assert answer.status_code == 204, site.server.text()
    record = site.record(task)
    assert (record.model, record.model_digest, record.images_painted) == ("fresh", digest, 3)
    assert record.model_load_s > 0


def test_the_push_body_as_it_is(site: Site) -> None:
    task = site.task(2)
    assert site.push(push_body(site.message(task), "projects/p/subscriptions/s", 1)).status_code == 204
    assert site.record(task).images_painted == 3


def test_the_emulators_push_body(site: Site) -> None:
    task = site.task(3)
    body = json.dumps({"subscription": "projects/p/subscriptions/s", "message": site.message(task)}).encode()
    answer = site.push(body)
    # The emulator reads no body of an answer, and gunicorn would wait for it to end the connection.
    assert (answer.status_code, answer.content) == (204, b"")
    assert site.record(task).images_painted == 3


def test_redelivery_is_acknowledged(site: Site) -> None:
    body = push_body(site.message(site.task(4)), "s", 1)
    assert [site.push(body).status_code for _ in range(2)] == [204, 204]


def test_a_good_body_of_the_wrong_type_is_still_read(site: Site) -> None:
    task = site.task(5)
    body = push_body(site.message(task), "s", 1)
    assert site.push(body, {"Content-Type": "text/plain"}).status_code == 204
    assert site.record(task).images_painted == 3


BAD_BODIES = {
    "not json": b"junk",
    "empty": b"",
    "a list": b"[]",
    "no message": b"{}",
    "no data": b'{"subscription": "s", "message": {"messageId": "b1"}}',
    "bad base64": b'{"subscription": "s", "message": {"messageId": "b2", "data": "@"}}',
    "bad task": b'{"subscription": "s", "message": {"messageId": "b3", "data": "e30="}}',
    "message is text": b'{"subscription": "s", "message": "data messageId"}',
    "deep": b"[" * 30_000 + b"]" * 30_000,
    "oversize": b"x" * 100_000,
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_input_is_kept_and_acknowledged(site: Site, name: str) -> None:
    before = site.rejections()
    answer = site.push(BAD_BODIES[name])
    assert answer.status_code == 204, answer.text
    assert site.rejections() == before + 1


def test_a_bad_cloud_event_is_kept_and_acknowledged(site: Site) -> None:
    headers, _ = to_binary(event_of(site.message(site.task(6))))
    for body in (b"{not json", b'{"message": {"messageId": "e1"}}', b"[" * 30_000):
        before = site.rejections()
        assert site.push(body, headers).status_code == 204
        assert site.rejections() == before + 1


def test_a_permanent_error_is_recorded_and_acknowledged(site: Site) -> None:
    body = push_body(site.message(site.task(7, model="nobody")), "s", 1)
    assert site.push(body).status_code == 204
    (info,) = site.store.list("jobs/job-a/function/failures/")
    assert b'"error":"unknown_model"' in site.store.read(info.name)


def test_it_waits_for_its_slot(site: Site) -> None:
    bodies = [push_body(site.message(site.task(index, image_count=1)), "s", 1) for index in range(20, 28)]
    with ThreadPoolExecutor(len(bodies)) as pool:
        assert {answer.status_code for answer in pool.map(site.push, bodies)} == {204}


def test_no_traceback_in_all_that(site: Site) -> None:
    assert "Traceback" not in site.server.text()


def test_preload_happens_in_the_process_that_serves(bundle: Path, tmp_path: Path) -> None:
    site = Site(tmp_path, bundle, preload=1)
    try:
        site.server.wait()
        task = site.task(0)
        assert site.push(push_body(site.message(task), "s", 1)).status_code == 204
        record = site.record(task)
        assert (record.preloaded, record.cold_start) == (True, True)
    finally:
        site.server.stop()


def test_a_store_that_refuses_is_not_acknowledged(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")
    site = Site(tmp_path, bundle, store_url=(tmp_path / "blocked" / "store").as_uri())
    try:
        site.server.wait()
        answer = site.push(push_body(site.message(site.task(0)), "s", 1))
        assert answer.status_code in (500, 503)
        assert answer.text.startswith("store_")
        assert "Traceback" not in site.server.text()
    finally:
        site.server.stop()


def test_a_bucket_that_fails_is_not_acknowledged_until_it_does_not(bundle: Path, tmp_path: Path) -> None:
    server = GcsServer(find_binary())
    try:
        server.wait()
        bucket = server.new_bucket()
        with gcs_fault_proxy(server) as proxy:
            site = Site(tmp_path, bundle, store_url=f"gs://{bucket}?endpoint={proxy.url}")
            site.store = open_store(f"gs://{bucket}?endpoint={server.url}")
            try:
                site.server.wait()
                task = site.task(0)
                event = to_structured(event_of(site.message(task)))
                proxy.order("status", status=403, text="no access")
                proxy.order("lose_answer", method="POST", part="/records/")
                refused = site.push(event[1], event[0])
                assert refused.status_code == 500
                assert refused.text.startswith("store_refused: no permission to ")
                assert site.push(event[1], event[0]).status_code == 204
                assert (site.record(task).images_painted, site.record(task).images_found) == (3, 0)
                assert len(list(site.store.list(""))) == 4
                assert "Traceback" not in site.server.text()
            finally:
                site.server.stop()
    finally:
        server.stop()


@pytest.mark.parametrize("threads", [1, 8])
def test_sigterm_gives_back_what_takes_too_long(bundle: Path, tmp_path: Path, threads: int) -> None:
    site = Site(tmp_path, bundle, threads=threads, batch_size=1, drain_s=0)
    digest = save_tiny(tmp_path / "models", name="slow", resolution=128, width=32)
    task = site.task(0, model="slow", model_digest=digest, image_count=256)
    try:
        site.server.wait()
        with ThreadPoolExecutor(1) as pool:
            push = pool.submit(site.push, push_body(site.message(task), "s", 1))
            wait_until(lambda: any(site.store.list("jobs/job-a/function/images/")), "the first image")
            site.server.terminate()
            answer = push.result(60)
        assert (answer.status_code, answer.text.partition(":")[0]) == (503, "draining")
        wait_until(site.server.ended, "the server to end")
        kept = sum(1 for _ in site.store.list("jobs/job-a/function/images/"))
        assert 0 < kept < 256
        assert not list(site.store.list("jobs/job-a/function/records/"))
        assert "Traceback" not in site.server.text()
    finally:
        site.server.stop()
