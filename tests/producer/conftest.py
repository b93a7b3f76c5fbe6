"""A real broker, a real store, and a manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from diptych.cli import main
from pipeline.config.settings import Settings
from pipeline.errors import BrokerError
from pipeline.protocol.task_message import TaskMessage
from producer.celery.publisher import CeleryPublisher
from producer.publish import all_tasks, publish_runs
from results import naming
from results.documents import JSON_TYPE, Manifest, dump
from results.stores.directory import DirectoryStore
from tests.support.builders.checkpoints import save_tiny
from tests.support.servers.valkey import ValkeyServer

JOB = "a-job"
Run = Callable[..., Result]
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def make_manifest(**changes: Any) -> Manifest:
    """A job of 10 images in 4 tasks, for both HTTP targets."""
    fields: dict[str, Any] = {
        "job_id": JOB, "model": "faces-64", "model_digest": f"sha256:{'0' * 64}", "resolution": 64,
        "count": 10, "seed": 7, "targets": ("container", "function"), "images_per_task": 3,
        "submitted_at": NOW,
    }  # fmt: skip
    return Manifest.model_validate(fields | changes)


def stored_job(store: DirectoryStore, **changes: Any) -> Manifest:
    """The same, written to the store."""
    manifest = make_manifest(**changes)
    store.create(naming.manifest_name(manifest.job_id), dump(manifest), JSON_TYPE)
    return manifest


def end_task(store: DirectoryStore, name: str) -> None:
    """Write an object by which a task ends; only its name is looked at."""
    store.create(name, b"{}\n", JSON_TYPE)


class ListPublisher:
    """A publisher in memory, for what is published rather than how.

    Args:
        fail_after: raise BrokerError once so many tasks were taken.
    """

    def __init__(self, fail_after: int | None = None) -> None:
        self.tasks: list[TaskMessage] = []
        self.calls: list[int] = []
        self._fail_after = fail_after

    def publish(self, tasks: Sequence[TaskMessage]) -> None:
        if self._fail_after is not None and len(self.tasks) + len(tasks) > self._fail_after:
            raise BrokerError("the broker is gone")
        self.calls.append(len(tasks))
        self.tasks.extend(tasks)

    def close(self) -> None: ...


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """An empty store."""
    return DirectoryStore.from_url((tmp_path / "store").as_uri())


@pytest.fixture(scope="session")
def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """One broker for the whole session."""
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def valkey(shared_valkey: ValkeyServer) -> ValkeyServer:
    """The broker, emptied."""
    shared_valkey.command("FLUSHALL")
    return shared_valkey


@pytest.fixture
def publisher(valkey: ValkeyServer) -> Iterator[CeleryPublisher]:
    """Publishes to the broker."""
    publisher = CeleryPublisher(Settings(broker_url=valkey.url))
    yield publisher
    publisher.close()


@pytest.fixture
def settings(valkey: ValkeyServer) -> Settings:
    return Settings(broker_url=valkey.url)


@pytest.fixture
def redis(valkey: ValkeyServer) -> Iterator[Redis]:
    """A client of our own, to do behind kombu's back what a crash does."""
    with Redis(port=valkey.port) as client:
        yield client


@pytest.fixture
def job(store: DirectoryStore, publisher: CeleryPublisher) -> Manifest:
    """A job of 4 tasks for each of two targets, all published."""
    manifest = stored_job(store)
    publish_runs(store, publisher, manifest, 0, [all_tasks(manifest)])
    return manifest


@pytest.fixture
def run(tmp_path: Path, store: DirectoryStore, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `diptych …` on this test's store and broker."""
    models = tmp_path / "models"
    models.mkdir()
    save_tiny(models)
    store.root.mkdir(exist_ok=True)
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(models))
    monkeypatch.setenv("DIPTYCH_STORE_URL", store.url)
    monkeypatch.setenv("DIPTYCH_BROKER_URL", valkey.url)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


SUBMIT = ("submit", "-n", 10, "-m", "tiny", "--seed", 7, "--job", "j", "--images-per-task", 3)


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found
