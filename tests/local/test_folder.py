"""The folder of a stack, its lock, and the ports."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local.errors import StackError
from local.folder import StackFolder, is_running
from local.ports import answers, choose_port
from pipeline.config.run_file import RunFile, find_run_file


def test_one_stack_at_a_time(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    first = StackFolder(tmp_path)
    assert is_running(tmp_path)
    with pytest.raises(StackError, match=rf"already \(process {os.getpid()},"):
        StackFolder(tmp_path)
    first.close()
    assert not is_running(tmp_path)
    StackFolder(tmp_path).close()


def test_a_killed_stack_holds_no_lock(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from local.folder import StackFolder\n"
        "folder = StackFolder(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert ended.returncode == -9
    StackFolder(tmp_path).close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / ".diptych").write_text("in the way")
    with pytest.raises(StackError, match=r"\.diptych cannot be written \(File exists\)"):
        StackFolder(tmp_path)


def test_the_run_file_is_found_from_below_and_replaced_whole(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path)
    written = [
        RunFile(pid=pid, started_at="", store_url="s", broker_url="b", container_url="c", function_url="f")
        for pid in (1, 2)
    ]
    for one in written:
        folder.write_run_file(one)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_run_file(below) == written[1]
    assert not [path for path in folder.root.iterdir() if path.name.endswith(".part")]
    folder.close()


def test_a_free_port_is_found_and_a_taken_one_is_named() -> None:
    free = choose_port(0, "broker", "--port-broker")
    assert 0 < free < 65536
    assert choose_port(free, "broker", "--port-broker") == free
    assert not answers(free)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", free))
        holder.listen()
        assert answers(free)
        with pytest.raises(StackError, match=rf"port {free} for the broker is taken.*--port-broker"):
            choose_port(free, "broker", "--port-broker")
