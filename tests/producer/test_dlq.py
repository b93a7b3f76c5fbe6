"""`diptych dlq` as users run it, over Celery's real broker and over the real Pub/Sub emulator."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from diptych.cli import main
from pipeline.config.pubsub_settings import PubSubAddress
from pipeline.protocol.clock import utc_now
from pipeline.protocol.task_message import decode_task
from pipeline.worker.pubsub_dead_letters import COUNT_ATTRIBUTE, SOURCE_ATTRIBUTE
from producer.publish import task_message
from results import naming
from results.documents import JSON_TYPE, DeadLetter, Failure, Manifest, dump
from results.stores.directory import DirectoryStore
from results.targets import Target
from tests.producer.conftest import JOB, NOW, end_task, stored_job
from tests.support.servers.broker import waiting
from tests.support.servers.pubsub_emulator import PubSubEmulator
from tests.support.servers.valkey import ValkeyServer, free_port
from tests.support.waiting import wait_until

PULL_LIMIT_S = 20.0


@dataclass(frozen=True)
class Dlq:
    """Runs `diptych dlq …` on one store and broker.

    Args:
        sent: the tasks that the broker holds, each with its targets, in order.
    """

    store: DirectoryStore
    broker_url: str
    sent: Callable[[], list[tuple[int, tuple[str, ...]]]]

    def run(self, *arguments: object) -> Result:
        places = ["--store", self.store.url, "--broker", self.broker_url]
        return CliRunner().invoke(main, ["dlq", *map(str, arguments), *places])

    def json(self, *arguments: object) -> dict[str, Any]:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        found: dict[str, Any] = json.loads(result.stdout)
        return found


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from the run file of a stack that may be running here."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def celery(store: DirectoryStore, valkey: ValkeyServer, redis: Redis) -> Dlq:
    def sent() -> list[tuple[int, tuple[str, ...]]]:
        return sorted((task, (target,)) for target, task in waiting(redis))

    return Dlq(store, valkey.url, sent)


@pytest.fixture
def address(emulator: PubSubEmulator) -> PubSubAddress:
    """A topic with its dead-letter topic, and its pull subscription."""
    address = emulator.new_address()
    emulator.make_topic(address)
    emulator.make_pull(address, address.dead_letter_pull, address.dead_letter_topic_path)
    return address


@pytest.fixture
def pubsub(store: DirectoryStore, emulator: PubSubEmulator, address: PubSubAddress) -> Dlq:
    look = emulator.make_pull(address, "look", address.topic_path)

    def sent() -> list[tuple[int, tuple[str, ...]]]:
        tasks = [decode_task(base64.b64decode(message["data"])) for message in emulator.pull(look)]
        return sorted((task.task_index, task.targets) for task in tasks)

    return Dlq(store, address.url, sent)


@pytest.fixture(params=["celery", "pubsub"])
def dlq(request: pytest.FixtureRequest) -> Dlq:
    """On each broker."""
    found: Dlq = request.getfixturevalue(request.param)
    return found


def publish(store: DirectoryStore, manifest: Manifest) -> None:
    """Say that all of it was published; only the marker's name is looked at."""
    end_task(store, naming.published_name(manifest.job_id, 0, 0, manifest.task_count - 1))


def write_dead_letter(
    store: DirectoryStore, target: Target, task: int, job_id: str = JOB, publication: int = 0
) -> None:
    letter = DeadLetter(
        job_id=job_id, task_index=task, publication=publication, target=target, message_id="m-1",
        attempts=100, last_error="503: out of\nmemory \x1b[31m", dead_at=NOW, message={"data": "e30="},
    )  # fmt: skip
    store.create(naming.deadletter_name(job_id, target, task, publication), dump(letter), JSON_TYPE)


def test_list_says_what_is_dead_and_what_to_do(celery: Dlq) -> None:
    store = celery.store
    for job in ("a-job", "b-job", "healthy"):
        publish(store, stored_job(store, job_id=job))
    write_dead_letter(store, "container", 2)
    write_dead_letter(store, "function", 0, "b-job")
    write_dead_letter(store, "function", 1, "b-job")
    end_task(store, naming.record_name("b-job", "function", 1))  # it was done after all

    result = celery.run("list")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [words for words in lines if words[0] == "job"] == [["job", "a-job"], ["job", "b-job"]]
    assert ["container", "2", "dead", "100", "attempts,"] in [words[:5] for words in lines]
    assert "\x1b" not in result.stdout  # what an error quotes does not steer the terminal
    assert "`diptych dlq redrive a-job --all`" in result.stderr

    found = celery.json("list", "b-job")
    assert [(letter["task"], letter["state"]) for letter in found["letters"]] == [(0, "dead")]
    every = celery.json("list", "b-job", "--settled")
    assert [(letter["task"], letter["state"]) for letter in every["letters"]] == [(0, "dead"), (1, "done")]
    assert every["letters"][0]["attempts"] == 100
    cut = celery.run("list", "--limit", 1)
    assert "--limit 2 lists all" in cut.stderr


def test_list_of_nothing_and_of_no_such_job(celery: Dlq) -> None:
    celery.store.check()  # makes its folder
    assert "this store: no open dead letters" in celery.run("list").stderr
    assert celery.json("list") == {"total": 0, "letters": []}
    gone = celery.run("list", "no-such-job")
    assert gone.exit_code == 1
    assert "no-such-job" in gone.stderr
    assert "a-z, 0-9" in celery.run("list", "../x").stderr


def test_a_damaged_letter_or_job_does_not_hide_the_others(celery: Dlq) -> None:
    publish(celery.store, stored_job(celery.store))
    write_dead_letter(celery.store, "container", 1)
    end_task(celery.store, naming.deadletter_name(JOB, "container", 2, 0))  # "{}"
    end_task(celery.store, naming.manifest_name("broken"))
    write_dead_letter(celery.store, "container", 0, "broken")
    end_task(celery.store, "jobs/Not-A-Job/container/deadletters/000000-000.json")
    result = celery.run("list")
    assert result.exit_code == 0
    assert "broken" in result.stderr
    assert "000002-000.json cannot be read" in result.stdout
    assert " 1  dead" in result.stdout


def test_show_tells_the_whole_story_of_a_task(celery: Dlq) -> None:
    store = celery.store
    publish(store, stored_job(store))
    write_dead_letter(store, "container", 2)
    failure = Failure(
        job_id=JOB, task_index=2, publication=0, target="container", delivery_id="d1", message_id="m-1",
        instance_id="i-7", error="model_error", detail="no such layer", received_at=NOW, failed_at=NOW,
        process_s=1, cpu_user_s=1, cpu_system_s=0, images_painted=0, images_found=0,
    )  # fmt: skip
    store.create(naming.failure_name(JOB, "container", 2, 0, "d1"), dump(failure), JSON_TYPE)
    end_task(store, naming.failure_name(JOB, "container", 3, 0, "d2"))  # of another task

    text = celery.run("show", JOB, 2)
    assert text.exit_code == 0
    for part in ("images   6..8", "100 attempts", "on i-7: model_error: no such layer", "publication 0"):
        assert part in text.stdout
    [case] = celery.json("show", JOB, 2)["cases"]
    assert (case["target"], case["first_index"], case["image_count"]) == ("container", 6, 3)
    assert case["message"] == {"data": "e30="}
    assert [found["error"] for found in case["failures"]] == ["model_error"]

    none = celery.run("show", JOB, 1)
    assert none.exit_code == 1
    assert "job a-job has no dead letter for task 1" in none.stderr


def test_redrive_publishes_what_is_dead_and_only_that(dlq: Dlq) -> None:
    store = dlq.store
    publish(store, stored_job(store))
    write_dead_letter(store, "container", 1)
    write_dead_letter(store, "container", 3)
    write_dead_letter(store, "function", 3)
    end_task(store, naming.failure_name(JOB, "function", 0, 0, "d"))  # failed, not dead: for `retry`

    refused = dlq.run("redrive", JOB, "--task", 1, "--task", 2)
    assert refused.exit_code == 1
    assert "not dead-lettered: task 2 is published on container, published on function" in refused.stderr
    assert "there is no task 4" in dlq.run("redrive", JOB, "--task", 4).stderr
    assert dlq.sent() == []

    one = dlq.json("redrive", JOB, "--task", 1)
    assert (one["publication"], one["messages_published"]) == (1, 1)
    assert dlq.sent() == [(1, ("container",))]
    assert [(found["target"], found["task"]) for found in dlq.json("list")["letters"]] == [
        ("container", 3),
        ("function", 3),
    ]
    rest = dlq.run("redrive", JOB, "--all", "--target", "function")
    assert rest.stdout == "job a-job: 1 task published again\n"
    assert (3, ("function",)) in dlq.sent()
    assert dlq.json("redrive", JOB, "--all")["messages_published"] == 1
    assert dlq.run("redrive", JOB, "--all").stdout == "job a-job: no task is dead-lettered\n"


def test_redrive_refuses_what_makes_no_sense(celery: Dlq) -> None:
    publish(celery.store, stored_job(celery.store))
    for arguments in ((), ("--all", "--task", 1)):
        result = celery.run("redrive", JOB, *arguments)
        assert result.exit_code == 2
        assert "give --task N" in result.stderr
    assert "has no target celery" in celery.run("redrive", JOB, "--all", "--target", "celery").stderr
    end_task(celery.store, naming.cancelled_name(JOB))
    assert "is cancelled" in celery.run("redrive", JOB, "--all").stderr


def dead_message(manifest: Manifest, task: int, subscription: str) -> dict[str, Any]:
    """What Pub/Sub, and its emulator, put onto a dead-letter topic."""
    message = task_message(manifest, task, 0, utc_now(), manifest.targets)
    marks = {SOURCE_ATTRIBUTE: subscription, COUNT_ATTRIBUTE: "100"}
    data = base64.b64encode(message.encode()).decode()
    return {"data": data, "attributes": message.attributes() | marks}


def test_what_waits_in_the_dead_letter_pull_is_brought_into_the_store(
    pubsub: Dlq, emulator: PubSubEmulator, address: PubSubAddress
) -> None:
    store = pubsub.store
    manifest = stored_job(store)
    publish(store, manifest)
    write_dead_letter(store, "function", 3)  # its push has got through
    foreign = manifest.model_copy(update={"job_id": "of-another-store"})
    messages = [
        dead_message(manifest, 0, address.push_subscription("container")),
        dead_message(manifest, 3, address.push_subscription("function")),
        dead_message(foreign, 0, address.push_subscription("container")),
        {"data": base64.b64encode(b"no task").decode()},
    ]
    emulator.call("POST", f"{address.dead_letter_topic_path}:publish", {"messages": messages})

    result = pubsub.run("list")
    assert result.exit_code == 0, result.stderr
    assert "note: 1 dead letter came from the pull subscription" in result.stderr
    assert "note: 2 messages left in the pull subscription" in result.stderr
    assert [(found["target"], found["task"]) for found in pubsub.json("list")["letters"]] == [
        ("container", 0),
        ("function", 3),
    ]
    # What the store does not hold is still there for those whose it is.
    dead_letter_pull = address.subscription_path(address.dead_letter_pull)
    left: list[bytes] = []

    def pull() -> bool:
        left.extend(base64.b64decode(message["data"]) for message in emulator.pull(dead_letter_pull))
        return len(left) >= 2

    wait_until(pull, "both messages")
    assert b"no task" in left
    assert [decode_task(data).job_id for data in left if data != b"no task"] == ["of-another-store"]

    assert pubsub.json("redrive", JOB, "--all")["messages_published"] == 2
    assert pubsub.sent() == [(0, ("container",)), (3, ("function",))]


@pytest.mark.parametrize("missing", ["emulator", "subscription"])
def test_without_the_dead_letter_pull_the_store_still_answers(
    missing: str, store: DirectoryStore, emulator: PubSubEmulator
) -> None:
    place = emulator.new_address()
    gone = PubSubAddress(place.project, place.topic, f"127.0.0.1:{free_port()}")
    dlq = Dlq(store, (gone if missing == "emulator" else place).url, list)
    publish(store, stored_job(store))
    write_dead_letter(store, "container", 2)
    result = dlq.run("list")
    assert result.exit_code == 0
    assert "note: the dead-letter pull subscription could not be read" in result.stderr
    assert "dead since" in result.stdout
