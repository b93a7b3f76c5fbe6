"""What a death has lost is found in the background: by the monitor itself, and in a whole stack."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from redis import Redis

from local import lost_task_monitor as module
from local.celery.recovery import BrokerRecovery
from local.lost_task_monitor import LostTaskMonitor
from pipeline.config.celery_settings import queue_name
from pipeline.config.run_file import find_run_file
from pipeline.config.settings import Settings
from producer.celery.publisher import CeleryPublisher
from producer.publish import all_tasks, publish_runs
from results import naming
from results.documents import JSON_TYPE, Manifest, dump
from results.stores.directory import DirectoryStore
from tests.local.conftest import Start
from tests.local.test_up import diptych, main_process
from tests.support.servers.up_process import ANY_PORTS, StackProcess
from tests.support.servers.valkey import ValkeyServer
from tests.support.waiting import wait_until

CONTAINER = queue_name("container")


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A broker of this test's own, not started yet."""
    server = ValkeyServer(tmp_path / "valkey")
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.1)
    monkeypatch.setattr("producer.celery.lost_tasks.SCAN_PAUSE_S", 0.01)


def submitted(store: DirectoryStore, settings: Settings, job_id: str) -> None:
    """A job of 2 tasks for the container, published."""
    manifest = Manifest(
        job_id=job_id, model="faces-64", model_digest=f"sha256:{'0' * 64}", resolution=64, count=2, seed=7,
        targets=("container",), images_per_task=1, submitted_at=datetime(2026, 11, 24, tzinfo=UTC),
    )  # fmt: skip
    store.create(naming.manifest_name(job_id), dump(manifest), JSON_TYPE)
    with closing(CeleryPublisher(settings)) as publisher:
        publish_runs(store, publisher, manifest, 0, [all_tasks(manifest)])


def test_each_request_is_answered_with_an_audit(tmp_path: Path, valkey: ValkeyServer) -> None:
    valkey.start()
    store = DirectoryStore.from_url((tmp_path / "store").as_uri())
    settings = Settings(broker_url=valkey.url, store_url=store.url)
    notes: list[str] = []
    lost_task_monitor = LostTaskMonitor(BrokerRecovery(settings), notes.append, delay_s=0.01)
    with closing(lost_task_monitor):
        for job_id in ("one", "two"):
            submitted(store, settings, job_id)
            valkey.command(f"LPOP {CONTAINER}")
            lost_task_monitor.request()
            wait_until(partial(notes.__contains__, f"job {job_id}: 1 lost task published again"), "the audit")
    assert len(notes) == 2
    assert valkey.length(CONTAINER) == 4


def test_a_broker_that_is_not_there_yet_is_audited_later(tmp_path: Path, valkey: ValkeyServer) -> None:
    store = DirectoryStore.from_url((tmp_path / "store").as_uri())
    settings = Settings(broker_url=valkey.url, store_url=store.url)
    valkey.start()
    submitted(store, settings, "a-job")
    valkey.command(f"RPOP {CONTAINER}")
    valkey.kill()
    notes: list[str] = []
    lost_task_monitor = LostTaskMonitor(BrokerRecovery(settings), notes.append, delay_s=0.01)
    with closing(lost_task_monitor):
        lost_task_monitor.request()
        wait_until(lambda: notes, "the note of a failure")
        assert notes[0].startswith("no search for lost tasks, again in 0 s: the broker does not answer")
        valkey.start()
        wait_until(lambda: "job a-job: 1 lost task published again" in notes, "the audit")


def lose_a_task(stack: StackProcess) -> None:
    """Submit a job while who delivers stands still, and take one of its messages out of the broker."""
    run_file = find_run_file(stack.folder)
    assert run_file is not None
    main_process(stack, CONTAINER).send_signal(signal.SIGSTOP)
    size = ("-n", "6", "--images-per-task", "2", "--seed", "7")
    done = diptych(stack.folder, "submit", *size, "--target", "container", "--job", "a-job")
    assert done.returncode == 0, done.stderr
    with Redis.from_url(run_file.broker_url) as client:
        assert client.rpop(CONTAINER)


@pytest.mark.stack
def test_a_stack_finds_what_a_dead_deliverer_has_lost(up: StackProcess) -> None:
    lose_a_task(up)
    os.kill(main_process(up, CONTAINER).pid, signal.SIGKILL)
    assert diptych(up.folder, "watch", "a-job").returncode == 0
    assert "published again" in up.text()


@pytest.mark.stack
def test_a_stack_finds_what_the_one_before_it_has_lost(up: StackProcess, start: Start) -> None:
    lose_a_task(up)
    up.signal(signal.SIGKILL)
    up.wait()
    wait_until(lambda: not up.survivors(), "the end of the first stack")
    again = start("up", *ANY_PORTS)
    again.wait_ready()
    assert diptych(again.folder, "watch", "a-job").returncode == 0
    assert "published again" in again.text()
