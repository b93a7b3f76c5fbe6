"""The container worker as it is deployed: a real gunicorn, a real engine, real signals."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import queued_message
from pipeline.protocol.task_message import TaskMessage
from results.documents import load
from results.naming import images_prefix, record_name
from results.record import Record
from results.stores.base import Store
from results.stores.open import open_store
from tests.support.builders.checkpoints import save_tiny
from tests.support.builders.tasks import a_task
from tests.support.servers.gunicorn_worker import Worker
from tests.support.servers.raw_http import BAD_CHUNKS, CHUNKED, send, send_half
from tests.support.waiting import LIMIT_S, wait_until

JOB = "job-a"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    """Workers to be stopped at the end of the test."""
    started: list[Worker] = []
    yield started
    for worker in started:
        worker.stop()


@pytest.fixture
def store(folder: Path) -> Store:
    return open_store((folder / "store").as_uri())


def read_record(store: Store, task: int = 0) -> Record:
    name = record_name(JOB, "container", task)
    return load(Record, store.read(name), name)


def images(store: Store) -> int:
    return sum(1 for _ in store.list(images_prefix(JOB, "container")))


def long_task(folder: Path) -> TaskMessage:
    """A task that generates for a few seconds, in many small batches."""
    digest = save_tiny(folder / "models", resolution=128, width=32)
    return a_task(model_digest=digest, image_count=256)


class Push(threading.Thread):
    """A push that runs beside the test; `answer` is its response, None if the connection broke."""

    def __init__(self, worker: Worker, task: TaskMessage) -> None:
        super().__init__(daemon=True)
        self._worker, self._task = worker, task
        self.answer: requests.Response | None = None
        self.start()

    def run(self) -> None:
        try:
            self.answer = self._worker.push(self._task)
        except requests.ConnectionError:
            self.answer = None


def test_a_task_end_to_end(folder: Path, workers: list[Worker], store: Store) -> None:
    digest = save_tiny(folder / "models")
    worker = Worker(folder).wait()
    workers.append(worker)
    for index in range(2):
        task = a_task(model_digest=digest, task_index=index, first_index=index * 3)
        assert worker.push(task).status_code == 204, worker.text()
    cold, warm = read_record(store, 0), read_record(store, 1)
    assert (cold.engine, cold.cold_start, warm.cold_start) == ("openvino", True, False)
    assert cold.model_load_s > 0 == warm.model_load_s
    assert cold.instance_id == warm.instance_id
    assert cold.cpu_user_s > 0
    assert cold.worker_revision
    assert '"severity": "INFO"' in worker.text()


def test_failures_are_recorded_and_acknowledged(folder: Path, workers: list[Worker], store: Store) -> None:
    digest = save_tiny(folder / "models")
    worker = Worker(folder).wait()
    workers.append(worker)
    bad = {
        "unknown_model": a_task(task_index=0, model="nobody"),
        "model_digest_mismatch": a_task(task_index=1),
        "bad_params": a_task(task_index=2, model_digest=digest, params={"truncation": 0.7}),
    }
    for task in bad.values():
        assert worker.push(task).status_code == 204
    failures = [store.read(info.name) for info in store.list(f"jobs/{JOB}/container/failures/")]
    for code, failure in zip(bad, failures, strict=True):
        assert f'"error":"{code}"'.encode() in failure
    assert "Traceback" not in worker.text()


def test_oversize_is_refused_unread(folder: Path, workers: list[Worker], store: Store) -> None:
    worker = Worker(folder).wait()
    workers.append(worker)
    with socket.create_connection(("127.0.0.1", worker.port), timeout=LIMIT_S) as connection:
        # Only the head is sent: whoever waits for the body waits for ever.
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        answer = connection.makefile("rb").readline()
    assert b" 204 " in answer
    (info,) = list(store.list("rejected/"))
    assert b'"body_bytes":1000000000' in store.read(info.name)


def test_bad_chunks_are_refused_in_a_line(folder: Path, workers: list[Worker], store: Store) -> None:
    worker = Worker(folder).wait()
    workers.append(worker)
    for number, body in enumerate(BAD_CHUNKS.values(), 1):
        assert send(worker.port, body, CHUNKED) == 400
        assert worker.text().count("malformed request: ") == number
    assert send_half(worker.port) == 400
    assert "Traceback" not in worker.text()
    assert not list(store.list(""))


def test_every_form_of_a_push_is_understood(folder: Path, workers: list[Worker], store: Store) -> None:
    digest = save_tiny(folder / "models")
    worker = Worker(folder).wait()
    workers.append(worker)
    wrapped, unwrapped = (a_task(model_digest=digest, task_index=i, first_index=3 * i) for i in range(2))
    event = {
        "specversion": "1.0",
        "id": "1",
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "source": "s",
        "data": {"message": queued_message(wrapped, "m0", utc_now()), "subscription": "s"},
    }
    headers = {"x-goog-pubsub-message-id": "m1"}
    for body, more in ((json.dumps(event).encode(), {}), (unwrapped.encode(), headers)):
        assert requests.post(worker.url, data=body, headers=more, timeout=60).status_code == 204
    assert [read_record(store, task).message_id for task in range(2)] == ["m0", "m1"]


def test_answers_while_it_generates(folder: Path, workers: list[Worker], store: Store) -> None:
    task = long_task(folder)
    worker = Worker(folder).wait()
    workers.append(worker)
    push = Push(worker, task)
    wait_until(lambda: images(store) > 0, "the first image")
    assert requests.get(f"{worker.url}/health/live", timeout=LIMIT_S).status_code == 200
    assert requests.get(f"{worker.url}/health/ready", timeout=LIMIT_S).status_code == 200
    busy = worker.push(a_task(task_index=1, model_digest=task.model_digest))
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "1")
    push.join(LIMIT_S)
    assert push.answer is not None
    assert push.answer.status_code == 204


def test_sigterm_gives_back_what_takes_too_long(folder: Path, workers: list[Worker], store: Store) -> None:
    task = long_task(folder)
    worker = Worker(folder, batch_size=1, drain_s=0).wait()
    workers.append(worker)
    push = Push(worker, task)
    wait_until(lambda: images(store) > 0, "the first image")
    worker.process.terminate()
    push.join(LIMIT_S)
    assert push.answer is not None, worker.text()
    assert (push.answer.status_code, push.answer.text.partition(":")[0]) == (503, "draining")
    assert worker.process.wait(LIMIT_S) == 0
    kept = images(store)
    assert 0 < kept < 256
    assert store.stat(record_name(JOB, "container", 0)) is None

    again = Worker(folder).wait()
    workers.append(again)
    assert again.push(task, attempt=2).status_code == 204
    record = read_record(store)
    assert (record.images_found, record.images_painted) == (kept, 256 - kept)
    assert len({entry.pixel_sha256 for entry in record.images}) == 256


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_work_in_hand_finish(
    folder: Path, workers: list[Worker], store: Store, number: signal.Signals
) -> None:
    task = long_task(folder).model_copy(update={"image_count": 64})
    worker = Worker(folder, drain_s=100).wait()
    workers.append(worker)
    push = Push(worker, task)
    wait_until(lambda: images(store) > 0, "the first image")
    worker.process.send_signal(number)
    push.join(LIMIT_S)
    assert push.answer is not None
    assert push.answer.status_code == 204
    assert read_record(store).images_painted == 64
    assert worker.process.wait(LIMIT_S) == 0
    assert "Traceback" not in worker.text()


def test_kill_loses_nothing(folder: Path, workers: list[Worker], store: Store) -> None:
    task = long_task(folder).model_copy(update={"image_count": 64})
    worker = Worker(folder).wait()
    workers.append(worker)
    push = Push(worker, task)
    wait_until(lambda: images(store) > 0, "the first image")
    worker.stop()
    push.join(LIMIT_S)
    assert push.answer is None
    again = Worker(folder).wait()
    workers.append(again)
    assert again.push(task, attempt=2).status_code == 204
    record = read_record(store)
    assert record.images_found > 0
    assert len(record.images) == 64


def test_preload_is_said_in_the_record(folder: Path, workers: list[Worker], store: Store) -> None:
    digest = save_tiny(folder / "models")
    worker = Worker(folder, preload=1).wait()
    workers.append(worker)
    assert worker.push(a_task(model_digest=digest)).status_code == 204
    record = read_record(store)
    assert (record.preloaded, record.model_load_s, record.cold_start) == (True, 0.0, True)


def test_a_damaged_model_does_not_stop_the_worker(folder: Path, workers: list[Worker]) -> None:
    save_tiny(folder / "models")
    (folder / "models" / "tiny.safetensors").write_bytes(b"\x80\x04pickle")
    worker = Worker(folder, preload=1).wait()
    workers.append(worker)
    assert requests.get(f"{worker.url}/health/ready", timeout=LIMIT_S).status_code == 503
    assert "cannot preload tiny" in worker.text()


def test_one_process_for_each_slot(folder: Path, workers: list[Worker], store: Store) -> None:
    digest = save_tiny(folder / "models")
    worker = Worker(folder, slots=2).wait()
    workers.append(worker)
    wait_until(lambda: len(psutil.Process(worker.process.pid).children()) == 2, "two processes")

    def both_have_served() -> bool:
        index = next(indices)
        task = a_task(model_digest=digest, task_index=index, first_index=index, image_count=1)
        assert worker.push(task).status_code == 204
        served.add(read_record(store, index).instance_id)
        return len(served) == 2

    served: set[str] = set()
    indices = iter(range(10_000))
    wait_until(both_have_served, "each process to have served")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"slots": 0}, "slots"),
        ({"store_url": "ftp://nowhere"}, "bad store URL"),
        ({"store_url": ""}, "no store"),
        ({"push_auth": ""}, "DIPTYCH_PUSH_AUTH"),
        ({"push_auth": "no"}, "DIPTYCH_PUSH_AUTH"),
        ({"push_auth": "verify", "push_email": "a@b"}, "DIPTYCH_PUSH_AUDIENCE"),
    ],
)
def test_a_bad_setting_is_one_line(
    folder: Path, workers: list[Worker], settings: dict[str, object], words: str
) -> None:
    worker = Worker(folder, **settings)
    workers.append(worker)
    assert worker.process.wait(LIMIT_S) == 1
    text = worker.text().strip()
    assert text.startswith("error: ")
    assert words in text
    assert len(text.splitlines()) == 1
