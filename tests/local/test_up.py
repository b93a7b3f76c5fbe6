"""The whole stack in processes of its own: it generates, it mends itself, and it leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import psutil
import pytest
import requests

from pipeline.config.run_file import find_run_file
from results.job_state import JobState, JobStatus
from results.naming import image_name
from results.stores.open import open_store
from tests.local.conftest import Start
from tests.support.servers.up_process import ANY_PORTS, DIPTYCH, StackProcess, environment, runs
from tests.support.waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.stack


def diptych(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the stack's folder."""
    return subprocess.run(
        [DIPTYCH, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def submit(up: StackProcess, job: str, *more: str) -> None:
    both = ("--target", "container", "--target", "function")
    done = diptych(up.folder, "submit", "-n", "6", "--seed", "7", "--job", job, *both, *more)
    assert done.returncode == 0, done.stderr


def main_process(up: StackProcess, mark: str) -> psutil.Process:
    """The process of a service, told by a word of its command line."""
    children = psutil.Process(up.process.pid).children()
    return next(one for one in children if any(mark in word for word in one.cmdline()))


def test_up_serves_the_page_of_its_own_store_and_only_if_it_is_wanted(
    up: StackProcess, start: Start, tmp_path: Path
) -> None:
    found = re.search(r"page +(http://127\.0\.0\.1:\d+/)", up.text())
    assert found, up.text()
    store = requests.get(found[1] + "api/form-options", timeout=LIMIT_S).json()["store"]
    run_file = find_run_file(up.folder)
    assert run_file is not None
    assert store == run_file.store_url

    (tmp_path / "without").mkdir()
    without = start("up", *ANY_PORTS, "--no-page", folder=tmp_path / "without")
    wait_until(lambda: "Ready." in without.text(), "the stack without the page")
    assert "  page  " not in without.text()


def test_up_generates_a_job_and_ends_on_sigterm_with_nothing_left(up: StackProcess) -> None:
    submit(up, "first", "--watch")
    run_file = find_run_file(up.folder)
    assert run_file is not None
    state = JobState.of(open_store(run_file.store_url), "first")
    assert state.status is JobStatus.SUCCEEDED
    assert {str(target) for target in state.targets} == {"container", "function"}
    assert len(up.look()) >= 7, "broker, two servers and their painters, two deliverers"

    up.signal(signal.SIGTERM)
    assert up.wait() == 0
    assert up.survivors() == []
    text = up.text()
    assert "Traceback" not in text
    for name in ("broker", "container", "function", "to-container", "to-function"):
        assert f"{name} started" in text
    assert "container    | first task 0: done" in text
    assert text == up.output.read_text()
    # The run file stays, for the results: its stack is known to be gone.
    assert run_file == find_run_file(up.folder)
    assert not run_file.is_alive()
    assert diptych(up.folder, "status", "first").returncode == 0


def test_ctrl_c_ends_it_too(up: StackProcess) -> None:
    up.signal(signal.SIGINT)
    assert up.wait() == 0
    assert up.survivors() == []


def test_kill_9_of_the_supervisor_leaves_nothing(up: StackProcess) -> None:
    assert len(up.look()) >= 7
    up.signal(signal.SIGKILL)
    up.wait()
    wait_until(lambda: not up.survivors(), "the end of every process of a killed supervisor")


@pytest.mark.parametrize("mark", ["gunicorn", "functions_framework", "valkey-server", "diptych-container"])
def test_what_dies_is_started_again_and_works(up: StackProcess, mark: str) -> None:
    dead = main_process(up, mark)
    orphans = dead.children(recursive=True)
    os.kill(dead.pid, signal.SIGKILL)
    wait_until(lambda: "SIGKILL; starting it again" in up.text(), "the supervisor's note")
    submit(up, "after", "--watch")
    assert main_process(up, mark).pid != dead.pid
    assert not [one for one in orphans if runs(one)]


def test_what_a_killed_stack_had_in_hand_goes_on_with_the_next_one(start: Start, up: StackProcess) -> None:
    """Not only after the visibility timeout, which is 12 minutes."""
    submit(up, "in-hand", "-n", "1500", "--images-per-task", "250")
    run_file = find_run_file(up.folder)
    assert run_file is not None
    store = open_store(run_file.store_url)
    wait_until(lambda: store.stat(image_name("in-hand", "container", 0)), "the first image")
    for one in up.look():
        one.kill()
    up.kill()
    assert not JobState.of(store, "in-hand").status.ended

    start("up", *ANY_PORTS)
    wait_until(lambda: JobState.of(store, "in-hand").status is JobStatus.SUCCEEDED, "the whole job")


def test_a_second_stack_in_the_same_folder_is_refused(up: StackProcess) -> None:
    refused = diptych(up.folder, "up", *ANY_PORTS)
    assert refused.returncode == 1
    assert f"error: a stack is running in this folder already (process {up.process.pid}," in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_taken_port_is_named_with_its_option(start: Start) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        stack = start("up", "--port-broker", "0", "--port-container", "0", "--port-function", str(port))
        assert stack.wait() == 1
    assert f"error: port {port} for the function is taken" in stack.text()
    assert "--port-function" in stack.text()
    assert len(stack.text().splitlines()) == 1
    assert stack.survivors() == []


def test_a_bad_setting_is_one_line(start: Start) -> None:
    stack = start("up", *ANY_PORTS, DIPTYCH_DRAIN_S="soon")
    assert stack.wait() == 1
    assert stack.text().startswith("error: bad setting drain_s (flag or DIPTYCH_DRAIN_S)")
    assert len(stack.text().splitlines()) == 1


def test_a_store_that_cannot_be_written_is_one_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    stack = start("up", *ANY_PORTS, "--store", (tmp_path / "file").as_uri())
    assert stack.wait() == 1
    assert stack.text().startswith("error: ")
    assert len(stack.text().splitlines()) == 1


def test_a_service_that_cannot_be_used_ends_the_start_with_its_reason(start: Start) -> None:
    stack = start("up", *ANY_PORTS, DIPTYCH_DEFAULT_MODEL="none-of-ours")
    assert stack.wait() == 1
    last = stack.text().splitlines()[-1]
    assert last.startswith("error: the container cannot work: not ready")
    assert "none-of-ours" in last
    assert stack.survivors() == []


def test_a_folder_with_a_very_long_path_will_do(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 60) / ("b" * 60)
    folder.mkdir(parents=True)
    stack = start("up", *ANY_PORTS, folder=folder)
    stack.wait_ready()
    stack.signal(signal.SIGTERM)
    assert stack.wait() == 0
    assert "Traceback" not in stack.text()
    assert "control socket" not in stack.text()


def test_celery_generates_as_a_third_target(start: Start) -> None:
    stack = start("up", *ANY_PORTS, "--celery-workers", "1")
    assert stack.wait_ready().targets == ("container", "function", "celery")
    done = diptych(stack.folder, "submit", "-n", "4", "--target", "celery", "--job", "third", "--watch")
    assert done.returncode == 0, done.stdout + done.stderr
    stack.signal(signal.SIGTERM)
    assert stack.wait() == 0
    assert stack.survivors() == []
