"""What keeps a job from going on is found, with the command that mends it: real broker, real processes."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis

from pipeline.config.run_file import RunFile
from pipeline.config.settings import Settings
from producer.health.fault import Fault
from producer.health.fault_notices import FaultNotices
from producer.health.stack_health import job_faults
from producer.watch import PlainLines
from results import naming
from results.job_state import JobState
from results.stores.directory import DirectoryStore
from tests.producer.conftest import JOB, end_task
from tests.support.servers.broker import CONTAINER, pop
from tests.support.servers.valkey import ValkeyServer, free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("job")
WORKERS = "diptych-container,diptych-function:7:a-worker"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.celery.lost_tasks.SCAN_PAUSE_S", 0.01)


@pytest.fixture
def state(store: DirectoryStore) -> JobState:
    return JobState.of(store, JOB)


@pytest.fixture
def worker(valkey: ValkeyServer) -> Iterator[Redis]:
    """A connection such as a worker has that delivers to both."""
    with Redis(port=valkey.port, client_name=WORKERS) as worker:
        worker.ping()
        yield worker


def texts(faults: list[Fault]) -> list[str]:
    return [str(fault) for fault in faults]


@pytest.mark.usefixtures("worker")
def test_nothing_is_found_where_all_is_well(settings: Settings, state: JobState) -> None:
    assert job_faults(settings, state, None) == []


def test_a_queue_that_nobody_serves(settings: Settings, state: JobState) -> None:
    found = job_faults(settings, state, None)
    assert texts(found) == [
        f"nobody delivers to the {target}: no worker serves diptych-{target}: `docker compose up --wait`"
        for target in ("container", "function")
    ]


def test_a_broker_that_is_down_or_stands_still(state: JobState, tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path / "valkey")
    server.start()
    settings = Settings(broker_url=server.url)
    process = server._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        (stands_still,) = job_faults(settings, state, None)
    finally:
        server.kill()
    (down,) = job_faults(settings, state, None)
    for fault in (stands_still, down):
        assert fault.what.startswith(f"the broker does not answer ({server.url.removesuffix('/0')}")
        assert fault.stops


@pytest.mark.usefixtures("worker")
def test_workers_that_are_gone_or_stand_still(valkey: ValkeyServer, state: JobState) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        settings = Settings(
            broker_url=valkey.url, container_url=url, function_url=f"http://127.0.0.1:{free_port()}/"
        )
        container, function = job_faults(settings, state, None)
    assert container.what == f"the container does not answer at {url} (timed out)"
    assert function.what.startswith(f"the function does not answer at {settings.function_url} (")


@pytest.mark.usefixtures("worker")
def test_lost_tasks_are_told_of_until_they_are_published_again(
    settings: Settings, state: JobState, redis: Redis
) -> None:
    pop(redis)
    (lost,) = job_faults(settings, state, None)
    assert str(lost) == (
        f"1 task lost by the broker, published again within a minute: `diptych resume {JOB} --lost`"
    )
    assert not lost.stops


@pytest.mark.usefixtures("worker")
def test_why_tasks_fail_and_come_again(settings: Settings, state: JobState, redis: Redis) -> None:
    message = json.loads(pop(redis))
    args, kwargs, embed = json.loads(base64.b64decode(message["body"]))
    body = json.dumps([args, {**kwargs, "attempt": 2, "last_error": "500: disk full"}, embed])
    redis.lpush(CONTAINER, json.dumps({**message, "body": base64.b64encode(body.encode()).decode()}))
    (failing,) = job_faults(settings, state, None)
    assert str(failing) == "the container fails, and tries again: 500: disk full"
    assert not failing.stops


@pytest.mark.usefixtures("worker")
def test_a_broker_that_was_emptied(settings: Settings, state: JobState, redis: Redis) -> None:
    for key in (*redis.keys(),):
        redis.delete(key)
    (lost,) = job_faults(settings, state, None)
    assert lost.what.startswith("8 tasks lost by the broker")


def test_a_job_that_has_ended_has_no_faults(store: DirectoryStore, settings: Settings) -> None:
    for target in ("container", "function"):
        for task in range(4):
            end_task(store, naming.record_name(JOB, target, task))
    assert job_faults(settings, JobState.of(store, JOB), None) == []


def a_stack(settings: Settings, pid: int) -> RunFile:
    return RunFile(
        pid=pid, started_at="noon", store_url="s", broker_url=settings.broker_url, container_url="",
        function_url="", folder="/some where",
    )  # fmt: skip


def test_a_stack_that_has_ended(settings: Settings, state: JobState) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert texts(job_faults(settings, state, a_stack(settings, gone.pid))) == [
        "the stack that was started at noon has ended: `cd '/some where' && diptych up`"
    ]


@pytest.mark.usefixtures("worker")
def test_a_process_of_the_stack_that_is_stopped(settings: Settings, state: JobState) -> None:
    stack = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
    assert stack.stdout is not None
    child = int(stack.stdout.readline())
    try:
        wait_until(lambda: psutil.Process(child).name() == "sleep", "the child to be sleep, not a fork of sh")
        os.kill(child, signal.SIGSTOP)
        wait_until(lambda: job_faults(settings, state, a_stack(settings, stack.pid)), "the fault")
        (fault,) = job_faults(settings, state, a_stack(settings, stack.pid))
        assert str(fault) == f"the sleep is stopped (process {child}): `kill -CONT {child}`"
        os.kill(stack.pid, signal.SIGSTOP)
        wait_until(lambda: len(job_faults(settings, state, a_stack(settings, stack.pid))) == 2, "both")
    finally:
        os.kill(child, signal.SIGKILL)
        stack.kill()
        stack.communicate()


def test_who_watches_is_told_once_of_each_fault(state: JobState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.health.fault_notices.EVERY_S", 0.0)
    faults = [Fault("the broker is down", "diptych up")]
    lines: list[str] = []
    searches: list[int] = []

    def find() -> list[Fault]:
        searches.append(1)
        return [*faults]

    notices = FaultNotices(PlainLines(lambda _: None, lambda _: ""), find, lines.append)
    with notices:

        def told(line: str) -> bool:
            notices.show(state)
            return line in lines

        wait_until(lambda: told("the broker is down: `diptych up`") and len(searches) > 3, "the fault")
        faults.clear()
        wait_until(lambda: told("everything answers again"), "the end of the fault")
    assert lines == ["the broker is down: `diptych up`", "everything answers again"]
