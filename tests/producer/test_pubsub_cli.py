"""The commands over the real Pub/Sub emulator and a bucket of the real fake-gcs-server."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from diptych.cli import main
from pipeline.config.pubsub_settings import PubSubAddress
from pipeline.protocol.task_message import decode_task
from results.job_state import JobState
from results.naming import failure_name, record_name
from results.stores.base import Store
from results.stores.open import open_store
from results.target_state import TaskState
from tests.support.builders.checkpoints import save_tiny
from tests.support.servers.gcs_server import GcsServer
from tests.support.servers.pubsub_emulator import PubSubEmulator

Run = Callable[..., Result]
SUBMIT = ("submit", "-n", 10, "-m", "tiny", "--seed", 7, "--job", "j", "--images-per-task", 3)


@pytest.fixture
def bucket(gcs_server: GcsServer) -> Store:
    return open_store(f"gs://{gcs_server.new_bucket()}/jobs-of-mine?endpoint={gcs_server.url}")


@pytest.fixture
def address(emulator: PubSubEmulator) -> PubSubAddress:
    return emulator.new_address()


@pytest.fixture
def run(tmp_path: Path, bucket: Store, address: PubSubAddress, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `diptych …` on this test's bucket and topic; the URLs alone say where they are."""
    models = tmp_path / "models"
    models.mkdir()
    save_tiny(models)
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(models))
    monkeypatch.setenv("DIPTYCH_STORE_URL", bucket.url)
    monkeypatch.setenv("DIPTYCH_BROKER_URL", address.url)
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


def end(store: Store, name: str) -> None:
    store.create(name, b"{}\n", "application/json")


def test_submit_resume_and_retry(
    run: Run, bucket: Store, emulator: PubSubEmulator, address: PubSubAddress
) -> None:
    refused = run(*SUBMIT)
    assert refused.exit_code == 1
    assert f"{address.topic_path} does not exist" in refused.stderr
    assert "job j was created: `diptych resume j` publishes the rest" in refused.stderr

    again = run("resume", "j")
    assert "does not exist" in again.stderr
    assert "acknowledged tasks are safe; run the command again to publish the rest" in again.stderr

    emulator.make_topic(address)
    look = emulator.make_pull(address, "look", address.topic_path)
    assert run("resume", "j").exit_code == 0
    tasks = [decode_task(base64.b64decode(message["data"])) for message in emulator.pull(look)]
    assert sorted(task.task_index for task in tasks) == [0, 1, 2, 3]
    assert {task.targets for task in tasks} == {("container", "function")}
    state = JobState.of(bucket, "j")
    assert [*state.targets["function"].tasks_in([TaskState.PUBLISHED])] == [0, 1, 2, 3]

    end(bucket, record_name("j", "container", 1))
    end(bucket, failure_name("j", "function", 1, 1, "d"))
    again = run("retry", "j", "--json")
    assert json.loads(again.stdout)["messages_published"] == 1
    [message] = emulator.pull(look)
    task = decode_task(base64.b64decode(message["data"]))
    assert (task.task_index, task.publication, task.targets) == (1, 2, ("function",))


def test_what_only_a_redis_offers_is_refused_in_a_line(run: Run, bucket: Store) -> None:
    celery = run(*SUBMIT, "--target", "celery")
    assert celery.exit_code == 1
    assert "Pub/Sub reaches the targets container and function, not celery" in celery.stderr
    assert [*bucket.list("")] == []  # not even the job was written
    lost = run("resume", "j", "--lost")
    assert lost.exit_code == 1
    assert "`diptych resume j --stalled 15m`" in lost.stderr
    assert lost.stderr.count("\n") == 1
    bad = run(*SUBMIT, "--broker", "pubsub://My_Project/x")
    assert "bad broker URL" in bad.stderr
    assert [*bucket.list("")] == []


def test_the_command_line_starts_without_google_s_libraries() -> None:
    code = (
        "import sys, diptych.commands.jobs.submit, diptych.commands.jobs.dlq, producer.open_publisher,"
        " producer.pubsub.publisher, producer.pubsub.dead_letter_pull; print(["
        "name for name in ('google.auth', 'google.pubsub_v1', 'grpc', 'celery')"
        " if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
