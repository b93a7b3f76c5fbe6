"""The stack on Google's emulator: the same commands, and what the emulator's death takes along comes back."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from benchmarks.delivery.audit_counts import audit_counts
from pipeline.config.run_file import RunFile, run_file_path
from results.job_state import JobState, JobStatus
from results.stores.open import open_store
from tests.local.conftest import Start
from tests.local.test_up import diptych, main_process, submit
from tests.support.servers.gcs_server import find_binary
from tests.support.servers.pubsub_emulator import find_command
from tests.support.servers.up_process import StackProcess
from tests.support.waiting import wait_until

PORTS = [part for name in ("pubsub", "gcs", "container", "function") for part in (f"--port-{name}", "0")]
UP = ("up", "--broker", "pubsub", "--no-page", *PORTS)
LONG = ("-n", "80", "--images-per-task", "2")
"""40 tasks for each target: most of them still wait at the first record."""
LIMIT_S = 180.0


@pytest.fixture
def pubsub_up(start: Start) -> StackProcess:
    """A stack on the emulator that is ready."""
    find_command()
    find_binary()
    stack = start(*UP)
    stack.wait_ready()
    return stack


def wait_for_a_record(store_url: str, job: str) -> None:
    def recorded() -> int:
        state = JobState.of(open_store(store_url), job)
        return sum(target.counts().done for target in state.targets.values())

    wait_until(recorded, "the first record")


def all_is_there_once(run_file: RunFile, job: str) -> None:
    """Wait for the job's end; nothing is lost and nothing doubled."""
    store = open_store(run_file.store_url)
    wait_until(lambda: JobState.of(store, job).status.ended, "the job's end", LIMIT_S)
    state = JobState.of(store, job)
    assert state.status is JobStatus.SUCCEEDED
    counted = audit_counts(store, state.manifest)
    assert (counted.lost, counted.doubled) == (0, 0), counted


@pytest.mark.stack
def test_every_command_works_on_the_emulator_and_results_outlive_it(pubsub_up: StackProcess) -> None:
    submit(pubsub_up, "first", "--watch")
    run_file = pubsub_up.wait_ready()
    assert run_file.broker_url.startswith("pubsub://local/diptych-tasks?emulator=127.0.0.1:")
    assert run_file.store_url.startswith("gs://diptych-local?endpoint=http://127.0.0.1:")
    all_is_there_once(run_file, "first")
    status = diptych(pubsub_up.folder, "status", "first")
    assert "succeeded" in status.stdout
    assert "no open dead letters" in diptych(pubsub_up.folder, "dlq", "list").stderr
    doctor = diptych(pubsub_up.folder, "doctor")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert "the Pub/Sub emulator responds" in doctor.stdout

    pubsub_up.signal(signal.SIGINT)
    assert pubsub_up.wait() == 0
    assert pubsub_up.survivors() == []
    assert "Traceback" not in pubsub_up.text()
    assert "pubsub     |" not in pubsub_up.text(), "the emulator's usual lines"
    gone = diptych(pubsub_up.folder, "status", "first")
    assert gone.returncode != 0
    assert len(gone.stderr.splitlines()) == 1
    folder = Path(run_file.store_folder).as_uri()
    assert folder in gone.stderr
    assert diptych(pubsub_up.folder, "status", "first", "--store", folder).stdout == status.stdout


@pytest.mark.stack
def test_what_a_killed_emulator_held_is_published_again(pubsub_up: StackProcess) -> None:
    run_file = pubsub_up.wait_ready()
    submit(pubsub_up, "emulator", *LONG)
    wait_for_a_record(run_file.store_url, "emulator")
    os.kill(main_process(pubsub_up, "java").pid, signal.SIGKILL)
    all_is_there_once(run_file, "emulator")
    assert "the pubsub was ended by SIGKILL; starting it again" in pubsub_up.text()
    assert "published again, which the emulator had lost" in pubsub_up.text()


@pytest.mark.stack
def test_a_killed_stack_goes_on_with_the_next_one(pubsub_up: StackProcess, start: Start) -> None:
    submit(pubsub_up, "stack", *LONG)
    wait_for_a_record(pubsub_up.wait_ready().store_url, "stack")
    for one in pubsub_up.look():
        one.kill()
    pubsub_up.kill()
    run_file_path(pubsub_up.folder).unlink()

    again = start(*UP)
    all_is_there_once(again.wait_ready(), "stack")
    assert "published again" in again.text()


def one_line(stack: StackProcess) -> str:
    """Wait for a start that fails; return the one line that says why."""
    assert stack.wait() == 1, stack.text()
    assert len(stack.text().splitlines()) == 1, stack.text()
    assert stack.survivors() == []
    return stack.text()


def test_what_is_missing_is_named_in_one_line(start: Start, tmp_path: Path) -> None:
    jar = tmp_path / "emulator.jar"
    jar.touch()
    without_java = {"PATH": str(tmp_path), "DIPTYCH_PUBSUB_EMULATOR_JAR": str(jar)}
    text = one_line(start(*UP, **without_java))
    assert text.startswith("error: the Pub/Sub emulator needs Java")
    assert "install" in text
    text = one_line(start(*UP, DIPTYCH_PUBSUB_EMULATOR_JAR=str(tmp_path / "none.jar")))
    assert "there is no file" in text
    assert "none.jar" in text


def test_what_does_not_go_together_is_one_line(start: Start) -> None:
    assert "--celery-workers" in one_line(start(*UP, "--celery-workers", "1"))
    find_command()
    find_binary()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        text = one_line(start(*UP, "--port-pubsub", str(port)))
    assert text.startswith(f"error: port {port} for the pubsub is taken")
    assert "--port-pubsub" in text
