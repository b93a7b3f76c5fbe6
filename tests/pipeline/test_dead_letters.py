"""From a message of the dead-letter topic to documents: whose, how often tried, and only once."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import MessageError
from pipeline.protocol.envelope import Envelope
from pipeline.protocol.task_message import TaskMessage, decode_task
from pipeline.worker.pubsub_dead_letters import (
    COUNT_ATTRIBUTE,
    SOURCE_ATTRIBUTE,
    dead_targets,
    write_envelope_dead_letter,
)
from results.documents import DeadLetter, load
from results.naming import record_name
from results.stores.directory import DirectoryStore

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TASK = TaskMessage(
    job_id="a-job", publication=2, publication_started_at=NOW, task_index=3, first_index=9, image_count=3,
    model="faces-64", model_digest=f"sha256:{'0' * 64}", seed=7, targets=("container", "function"),
    submitted_at=NOW,
)  # fmt: skip
LETTER = Envelope(
    data=TASK.encode(),
    attributes={**TASK.attributes(), SOURCE_ATTRIBUTE: "diptych-function", COUNT_ATTRIBUTE: "100"},
    message_id="17",
    publish_time=NOW,
    delivery_attempt=None,
    subscription="projects/p/subscriptions/diptych-dead-letters-push",
    trace=None,
)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore.from_url(tmp_path.as_uri())


def test_a_letter_is_written_once_for_the_target_that_gave_up(store: DirectoryStore) -> None:
    names = write_envelope_dead_letter(store, LETTER)
    assert names == ["jobs/a-job/function/deadletters/000003-002.json"]
    written = store.read(names[0])
    letter = load(DeadLetter, written, names[0])
    assert (letter.attempts, letter.target, letter.dead_at) == (100, "function", NOW)
    assert "diptych-function" in letter.last_error
    assert decode_task(base64.b64decode(letter.message["data"])) == TASK
    assert write_envelope_dead_letter(store, replace(LETTER, message_id="18")) == names
    assert store.read(names[0]) == written


def test_where_nothing_says_whose_it_is_every_target_has_one(store: DirectoryStore) -> None:
    names = write_envelope_dead_letter(store, replace(LETTER, attributes={COUNT_ATTRIBUTE: "many"}))
    assert [name.split("/")[2] for name in names] == ["container", "function"]
    assert load(DeadLetter, store.read(names[0]), names[0]).attempts == 0


@pytest.mark.parametrize(
    ("subscription", "targets"),
    [
        ("diptych-container", ("container",)),
        ("night-function", ("function",)),
        ("eventarc-us-central1-painter-of-the-container-sub-789", ("function",)),
        ("something", ("container", "function")),
        ("function-or-container", ("container", "function")),
        ("", ("container", "function")),
    ],
)
def test_the_subscription_names_the_target(subscription: str, targets: tuple[str, ...]) -> None:
    assert dead_targets(TASK, subscription) == targets


def test_a_target_that_was_not_asked_for_buries_nobody() -> None:
    """The emulator ignores filters: a container that is down says nothing about the function."""
    only = TASK.model_copy(update={"targets": ("function",)})
    assert dead_targets(only, "diptych-container") == ()
    assert dead_targets(only, "something") == ("function",)


def test_a_task_that_was_recorded_is_not_buried(store: DirectoryStore) -> None:
    store.create(record_name("a-job", "function", 3), b"{}", "application/json")
    assert write_envelope_dead_letter(store, LETTER) == []
    assert list(store.list("jobs/a-job/function/deadletters/")) == []


def test_what_holds_no_task_is_refused(store: DirectoryStore) -> None:
    with pytest.raises(MessageError):
        write_envelope_dead_letter(store, replace(LETTER, data=b"hi"))
    assert list(store.list("")) == []
