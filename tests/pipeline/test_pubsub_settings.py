"""Broker URLs of Pub/Sub, and the names that follow from them."""

from __future__ import annotations

import pytest

from pipeline.config.pubsub_settings import PubSubAddress
from pipeline.config.settings import Settings
from pipeline.errors import SettingsError


def test_names_what_belongs_to_a_topic() -> None:
    address = PubSubAddress.parse("pubsub://my-project/diptych-tasks", {})
    assert address == PubSubAddress("my-project", "diptych-tasks", "")
    assert address.topic_path == "projects/my-project/topics/diptych-tasks"
    assert address.dead_letter_topic == "diptych-dead-letters"
    assert address.push_subscription("function") == "diptych-function"
    assert address.dead_letter_push == "diptych-dead-letters-push"
    assert address.subscription_path(address.dead_letter_pull) == (
        "projects/my-project/subscriptions/diptych-dead-letters-pull"
    )
    other = PubSubAddress.parse("pubsub://example.com:my-project/night", {})
    assert other.project == "example.com:my-project"
    assert (other.dead_letter_topic, other.push_subscription("container")) == (
        "night-dead-letters",
        "night-container",
    )


def test_the_query_wins_over_the_variable() -> None:
    environ = {"PUBSUB_EMULATOR_HOST": "localhost:8085"}
    url = "pubsub://local/diptych-tasks?emulator=127.0.0.1:7433"
    assert PubSubAddress.parse(url, environ).emulator == "127.0.0.1:7433"
    assert PubSubAddress.parse(url, environ).url == url
    assert PubSubAddress.parse("pubsub://local/diptych-tasks", environ).emulator == "localhost:8085"
    assert (
        PubSubAddress.parse("pubsub://local/diptych-tasks?emulator=[::1]:7433", {}).emulator == "[::1]:7433"
    )


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("pubsub://", "no project id"),
        ("pubsub://My_Project/diptych-tasks", "'My_Project' is no project id"),
        ("pubsub://user:pw@my-project/diptych-tasks", "no project id"),
        ("pubsub://my-project", "'' is no topic name"),
        ("pubsub://my-project/goog-tasks", "'goog-tasks' is no topic name"),
        ("pubsub://my-project/a/b/c", "'a/b/c' is no topic name"),
        ("pubsub://my-project/tasks?emulater=x:1", "'emulater' is unknown"),
        ("pubsub://my-project/tasks?emulator=http://127.0.0.1:1", "bad emulator address"),
        ("pubsub://my-project/tasks?emulator=127.0.0.1", "bad emulator address"),
        ("pubsub://my-project/tasks?emulator=127.0.0.1:99999", "bad emulator address"),
        ("pubsub://my-project/tasks?emulator", "bad broker URL"),
        ("pubsub://my-project/tasks#x", "not of that form"),
        ("pubsub://[x/tasks", "bad broker URL"),
        ("amqp://host", "use redis://host:port/0 or pubsub://PROJECT/TOPIC"),
    ],
)
def test_settings_refuse_other_urls(url: str, names: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(broker_url=url).require_broker_url()
    assert names in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "http://here")
    with pytest.raises(SettingsError, match="'http://here' in PUBSUB_EMULATOR_HOST"):
        Settings(broker_url="pubsub://local/diptych-tasks").require_broker_url()


def test_settings_take_a_topic() -> None:
    url = "pubsub://local/diptych-tasks?emulator=127.0.0.1:7433"
    assert Settings(broker_url=url).require_broker_url() == url
