"""The set-up service against the real emulators: what it makes, and what it does when one lost everything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from pipeline.config.pubsub_settings import PubSubAddress
from pipeline.config.settings import Settings
from producer.open_publisher import open_publisher
from producer.publish import all_tasks, publish_runs
from results import naming
from results.documents import JSON_TYPE, dump
from results.stores.open import open_store
from tests.producer.conftest import make_manifest
from tests.support.builders.script import load
from tests.support.servers.gcs_server import GcsServer, find_binary
from tests.support.servers.pubsub_emulator import PubSubEmulator, find_command
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def emulator() -> Iterator[PubSubEmulator]:
    """An emulator of this test's own, to be stopped and started."""
    emulator = PubSubEmulator(find_command())
    emulator.wait()
    yield emulator
    emulator.stop()


@pytest.fixture
def gcs() -> Iterator[GcsServer]:
    """A storage server without a bucket."""
    server = GcsServer(find_binary())
    server.wait()
    yield server
    server.stop()


@pytest.fixture
def settings(emulator: PubSubEmulator, gcs: GcsServer) -> Settings:
    """As in docker/pubsub.env. Nobody listens at the workers."""
    return Settings(
        store_url=f"gs://diptych-local?endpoint={gcs.url}",
        broker_url=PubSubAddress("local", "diptych-tasks", emulator.host).url,
        container_url="http://127.0.0.1:9/",
        function_url="http://127.0.0.1:9/",
    )


@pytest.fixture
def set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script; its health is a file of this test's own."""
    module = load("set_up")
    monkeypatch.setattr(module, "FRESH", tmp_path / "fresh")
    return module


def look_until_well(keeper: object, module: ModuleType) -> None:
    """Look as the service would, without its pauses."""

    def look() -> bool:
        keeper.look()  # type: ignore[attr-defined]
        return bool(module.FRESH.exists())

    module.FRESH.unlink(missing_ok=True)
    wait_until(look, "its health")


def test_what_an_emulator_lost_is_made_and_published_again(
    set_up: ModuleType, settings: Settings, emulator: PubSubEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    keeper = set_up.Keeper(settings)
    look_until_well(keeper, set_up)
    assert "published again" not in capsys.readouterr().out
    topic = PubSubAddress.parse(settings.broker_url)
    pushed = emulator.call("GET", topic.subscription_path(topic.push_subscription("function")))
    assert pushed["pushConfig"]["pushEndpoint"] == f"http://127.0.0.1:9/{topic.topic_path}"
    store = open_store(settings.store_url)
    manifest = make_manifest()
    store.create(naming.manifest_name(manifest.job_id), dump(manifest), JSON_TYPE)
    with closing(open_publisher(settings)) as publisher:
        publish_runs(store, publisher, manifest, 0, [all_tasks(manifest)])

    emulator.stop()
    set_up.FRESH.unlink()
    keeper.look()
    assert not set_up.FRESH.exists()
    assert "waiting: " in capsys.readouterr().err

    emulator.start()
    emulator.wait()
    look_until_well(keeper, set_up)
    assert f"job {manifest.job_id}: 8 tasks published again" in capsys.readouterr().out
    assert [info.name for info in store.list(naming.published_prefix(manifest.job_id))] == [
        naming.published_name(manifest.job_id, publication, 0, 3) for publication in (0, 1)
    ]


def test_an_emulator_that_lost_nothing_is_left_alone(
    set_up: ModuleType, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    look_until_well(set_up.Keeper(settings), set_up)
    capsys.readouterr()
    look_until_well(set_up.Keeper(settings), set_up)
    assert capsys.readouterr().out == ""


def test_the_wrong_profile_is_told_so(set_up: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIPTYCH_BROKER_URL", "redis://redis:6379/0")
    with pytest.raises(SystemExit) as caught:
        set_up.main()
    assert "COMPOSE_PROFILES=pubsub" in str(caught.value)
