"""The embedded broker: nobody else can use it, and no second one uses its files."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import AuthenticationError, Redis

from local.addresses import redis_url
from local.celery.broker import CONFIG_FILE, broker_argv, broker_lacks
from local.folder import StackFolder
from pipeline.config.run_file import RunFile, run_file_path
from tests.support.servers.valkey import free_port
from tests.support.waiting import wait_until

PASSWORD = "a-password"

Start = Callable[[int], subprocess.Popen[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A name that a configuration file must quote."""
    folder = tmp_path / 'a "broker" #1'
    folder.mkdir()
    return folder


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts brokers in the folder, and kills them."""
    found: list[subprocess.Popen[str]] = []

    def start(port: int) -> subprocess.Popen[str]:
        argv = broker_argv(folder, port, PASSWORD)
        assert PASSWORD not in " ".join(argv), "everybody can read a command line"
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        found.append(process)
        return process

    yield start
    for process in found:
        process.kill()
        process.wait()


def test_nobody_without_the_password_can_do_anything(folder: Path, start: Start) -> None:
    port = free_port()
    start(port)
    wait_until(lambda: not broker_lacks(port, PASSWORD), "the broker")
    assert "WRONGPASS" in broker_lacks(port, "another")
    for command in ("PING", "FLUSHALL", "CONFIG GET requirepass"):
        with Redis(port=port) as stranger, pytest.raises(AuthenticationError):
            stranger.execute_command(command)
    with Redis.from_url(redis_url(port, PASSWORD)) as client:
        client.set("a", "b")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert (folder / CONFIG_FILE).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_second_broker_on_the_same_files_is_refused(folder: Path, start: Start) -> None:
    first_port, second_port = free_port(), free_port()
    first = start(first_port)
    wait_until(lambda: not broker_lacks(first_port, PASSWORD), "the first broker")
    with Redis.from_url(redis_url(first_port, PASSWORD)) as client:
        client.set("a", "b")
    said = start(second_port).communicate()[0]
    assert f"(process {first.pid}) still uses {folder}: end it with `kill {first.pid}`" in said
    first.kill()
    first.wait()
    start(second_port)
    wait_until(lambda: not broker_lacks(second_port, PASSWORD), "the second broker")
    with Redis.from_url(redis_url(second_port, PASSWORD)) as client:
        assert client.get("a") == b"b"


def test_the_run_file_which_holds_the_password_is_private(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path)
    (folder.root / ".run.json.part").write_text("of a writer that was killed")
    run_file_path(tmp_path).write_text("{}")
    run_file_path(tmp_path).chmod(0o644)
    folder.write_run_file(
        RunFile(pid=1, started_at="", store_url="s", broker_url="b", container_url="c", function_url="f")
    )
    folder.close()
    assert run_file_path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert not [*folder.root.glob(".*.part")]
