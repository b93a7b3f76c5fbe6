"""Settings: a flag beats the environment beats the run file beats the default; what is wrong is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config.run_file import RunFile, find_run_file, run_file_path
from pipeline.config.settings import default_store_url, load_settings
from pipeline.errors import SettingsError


def write_run_file(folder: Path, pid: int) -> RunFile:
    run_file = RunFile(
        pid=pid,
        started_at="2026-11-24T09:30:00Z",
        store_url="file:///from/the/run-file",
        broker_url="redis://127.0.0.1:1/0",
        container_url="http://127.0.0.1:2",
        function_url="http://127.0.0.1:3",
    )
    path = run_file_path(folder)
    path.parent.mkdir()
    path.write_text(run_file.model_dump_json())
    return run_file


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key in [key for key in os.environ if key.startswith("DIPTYCH_")]:
        monkeypatch.delenv(key)
    monkeypatch.chdir(tmp_path)


def test_order_of_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(use_run_file=True).store_url == ""
    write_run_file(tmp_path, os.getpid())
    assert load_settings(use_run_file=True).store_url == "file:///from/the/run-file"
    assert load_settings().store_url == ""
    monkeypatch.setenv("DIPTYCH_STORE_URL", "file:///from/env")
    assert load_settings(use_run_file=True).store_url == "file:///from/env"
    flagged = load_settings(use_run_file=True, store_url="file:///from/flag", broker_url=None)
    assert (flagged.store_url, flagged.broker_url) == ("file:///from/flag", "redis://127.0.0.1:1/0")


@pytest.mark.parametrize(
    ("field", "value"), [("slots", "0"), ("slots", "many"), ("deadline_s", "-1"), ("target", "laptop")]
)
def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch, field: str, value: str) -> None:
    monkeypatch.setenv(f"DIPTYCH_{field.upper()}", value)
    with pytest.raises(SettingsError, match=f"DIPTYCH_{field.upper()}") as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_said_with_what_to_do() -> None:
    settings = load_settings()
    with pytest.raises(SettingsError, match="diptych up"):
        settings.require_store_url()
    with pytest.raises(SettingsError, match="DIPTYCH_BROKER_URL"):
        settings.require_broker_url()
    with pytest.raises(SettingsError, match="bad broker URL 'somewhere': use redis://host:port/0"):
        load_settings(broker_url="somewhere").require_broker_url()
    given = load_settings(store_url="file:///s", broker_url="redis://b")
    assert (given.require_store_url(), given.require_broker_url()) == ("file:///s", "redis://b")


def test_run_file_is_found_from_below(tmp_path: Path) -> None:
    written = write_run_file(tmp_path, os.getpid())
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_run_file(below) == written
    assert written.is_alive()


def test_a_stopped_stack_is_still_found(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    write_run_file(tmp_path, ended.pid)
    found = find_run_file(tmp_path)
    assert found is not None
    assert not found.is_alive()


def test_a_damaged_run_file_is_as_none(tmp_path: Path) -> None:
    write_run_file(tmp_path, 1)
    run_file_path(tmp_path).write_text("{")
    assert find_run_file(tmp_path) is None
    assert load_settings(use_run_file=True).store_url == ""


def test_default_store_lies_beside_the_run_file(tmp_path: Path) -> None:
    assert default_store_url(tmp_path) == (tmp_path / ".diptych" / "results").as_uri()
    assert default_store_url() == default_store_url(tmp_path)
