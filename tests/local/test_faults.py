"""What a running stack does, and its commands say, when something stands still, vanishes or is emptied."""

from __future__ import annotations

import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from pipeline.config.run_file import RunFile
from tests.local.conftest import Start
from tests.local.test_up import diptych, main_process
from tests.support.servers.up_process import ANY_PORTS, StackProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.stack
SIZE = ("-n", "6", "--images-per-task", "2", "--seed", "7", "--target", "container")


def submit(up: StackProcess, job: str) -> None:
    done = diptych(up.folder, "submit", *SIZE, "--job", job)
    assert done.returncode == 0, done.stderr


def status(up: StackProcess, job: str) -> str:
    done = diptych(up.folder, "status", job)
    return done.stdout + done.stderr


def test_a_stack_whose_workers_are_stopped_says_so_and_how_to_go_on(up: StackProcess) -> None:
    worker, deliverer = main_process(up, "worker_container"), main_process(up, "diptych-container")
    stopped = [worker, *worker.children(recursive=True), deliverer]
    for process in stopped:
        process.send_signal(signal.SIGSTOP)
    submit(up, "a-job")
    text = status(up, "a-job")
    assert "status   stuck: the " in text
    for process in stopped:
        assert f"`kill -CONT {process.pid}`" in text
        process.send_signal(signal.SIGCONT)
    assert diptych(up.folder, "watch", "a-job").returncode == 0
    assert "stuck" not in status(up, "a-job")


def test_a_results_folder_that_vanishes_is_not_made_anew(up: StackProcess) -> None:
    results = Path(urlsplit(run_file(up).store_url).path)
    deliverer = main_process(up, "diptych-container")
    deliverer.send_signal(signal.SIGSTOP)
    submit(up, "a-job")
    away = results.with_name("elsewhere")
    results.rename(away)
    deliverer.send_signal(signal.SIGCONT)
    wait_until(lambda: f"the results folder {results} has vanished" in up.text(), "the workers' complaint")
    for command in (("status", "a-job"), ("watch", "a-job"), ("submit", *SIZE, "--job", "b")):
        done = diptych(up.folder, *command)
        assert (done.returncode, f"the results folder {results} has vanished" in done.stderr) == (1, True)
    assert not results.exists()
    away.rename(results)
    assert diptych(up.folder, "watch", "a-job").returncode == 0


def test_a_broker_that_is_emptied_in_mid_job_is_filled_again(up: StackProcess) -> None:
    deliverer = main_process(up, "diptych-container")
    deliverer.send_signal(signal.SIGSTOP)
    submit(up, "a-job")
    with Redis.from_url(run_file(up).broker_url) as client:
        wait_until(lambda: client.llen("diptych-container"), "the job's tasks")
        client.flushall()
    deliverer.send_signal(signal.SIGCONT)
    assert diptych(up.folder, "watch", "a-job").returncode == 0


def test_what_outlives_its_stack_and_the_orphan_reaper_is_ended_by_the_next_stack(
    up: StackProcess, start: Start
) -> None:
    main_process(up, "orphan_reaper").kill()
    up.signal(signal.SIGKILL)
    up.wait()
    assert up.survivors()
    again = start("up", *ANY_PORTS)
    wait_until(lambda: not up.survivors(), "the end of what the first stack had left")
    again.wait_ready()


def run_file(up: StackProcess) -> RunFile:
    found = up.wait_ready()
    assert Path(up.folder, ".diptych", "run.json").stat().st_mode & 0o077 == 0
    return found
