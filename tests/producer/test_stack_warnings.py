"""Warnings about a running stack that a job does not fit."""

from __future__ import annotations

import os

import pytest

from pipeline.config.run_file import RunFile
from pipeline.config.settings import Settings
from producer.health.stack_warnings import stack_warnings
from results.targets import Target

BROKER = "redis://127.0.0.1:7430/0"
STORE = "file:///tmp/a"


def a_stack(pid: int | None = None) -> RunFile:
    return RunFile(
        pid=os.getpid() if pid is None else pid,
        started_at="",
        store_url=STORE,
        broker_url=BROKER,
        container_url="",
        function_url="",
    )


@pytest.mark.parametrize(
    ("targets", "store_url", "words"),
    [
        (("container", "function"), STORE, []),
        (("container", "celery"), STORE, ["does not serve celery"]),
        (("container",), "file:///tmp/b", ["workers write to file:///tmp/a, not to file:///tmp/b"]),
        (("celery",), "file:///tmp/b", ["does not serve celery", "will not end"]),
    ],
)
def test_says_what_does_not_fit(targets: tuple[Target, ...], store_url: str, words: list[str]) -> None:
    lines = stack_warnings(Settings(broker_url=BROKER, store_url=store_url), targets, a_stack())
    assert len(lines) == len(words)
    assert all(word in line for word, line in zip(words, lines, strict=True))


def test_another_broker_is_another_stack() -> None:
    settings = Settings(broker_url="redis://127.0.0.1:1/0", store_url="file:///tmp/b")
    assert stack_warnings(settings, ["celery"], a_stack()) == []


def test_an_emulator_is_the_same_one_in_the_url_and_in_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "pubsub://local/diptych-tasks?emulator=127.0.0.1:7433"
    stack = a_stack().model_copy(update={"broker_url": url})
    settings = Settings(broker_url="pubsub://local/diptych-tasks", store_url="file:///tmp/b")
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    assert stack_warnings(settings, ["container"], stack) == []
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:7433")
    assert len(stack_warnings(settings, ["container"], stack)) == 1


def test_a_stack_that_is_gone_says_nothing() -> None:
    settings = Settings(broker_url=BROKER, store_url="file:///tmp/b")
    gone = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(gone, 0)
    assert stack_warnings(settings, ["celery"], a_stack(gone)) == []
