"""An engine that does not come back: its process ends, the next one knows of it, and the task ends."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from model.adding.add import add_model
from model.adding.request import AddRequest
from model.registry import Registry
from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import push_body, queued_message
from pipeline.worker.watchdog import GIVE_UP_AFTER, EngineStuckError, Watchdog
from producer.job_view import job_as_dict
from producer.publish import task_message
from producer.submit import JobRequest, draft_job
from results.documents import JSON_TYPE, dump
from results.job_state import JobState
from results.naming import manifest_name
from results.stores.open import open_store
from tests.support.builders import stuck_engine
from tests.support.servers import function_worker
from tests.support.servers.function_worker import FunctionServer, write_constraints
from tests.support.servers.gunicorn_worker import Worker
from tests.support.waiting import wait_until
from worker_function.bundle import stage

STUCK = "stuck_engine"
PUSH_LIMIT_S = 60


@contextmanager
def served(target: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """A real worker whose model is stuck; gives its address, and its log when it has ended."""
    store_url, models = (folder / "store").as_uri(), folder / "models"
    log: list[str] = []
    if target == "container":
        monkeypatch.setenv("PYTHONPATH", str(folder / "own"))
        worker = Worker(folder, default_model="stuck", deadline_s=2).wait()
        server: Worker | FunctionServer = worker
    else:
        stage(folder / "bundle", write_constraints(folder / "constraints.txt"))
        shutil.copy(folder / "own" / f"{STUCK}.py", folder / "bundle")
        server = FunctionServer(
            folder / "bundle", folder, store_url=store_url, model_dir=models, deadline_s=2
        ).wait()
    try:
        yield server.url, log
    finally:
        log.append(server.text())
        server.stop()


@pytest.mark.parametrize("target", ["container", "function"])
def test_a_stuck_engine_ends_its_task_on_either_target(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    shutil.copy(stuck_engine.__file__, tmp_path / "own" / f"{STUCK}.py")
    monkeypatch.syspath_prepend(tmp_path / "own")
    models = tmp_path / "models"
    add_model(models, "stuck", f"python:{STUCK}:make", AddRequest())
    request = JobRequest("stuck", 1, ("container" if target == "container" else "function",), job_id="job-a")
    manifest = draft_job(request, Registry(models, models / "none.json")).manifest
    task = task_message(manifest, 0, 0, utc_now(), manifest.targets)
    store = open_store((tmp_path / "store").as_uri())
    store.create(manifest_name("job-a"), dump(manifest), JSON_TYPE)
    body = push_body(queued_message(task, "m1", utc_now()), "projects/p/subscriptions/s", 1)

    def acknowledged() -> bool:
        # As a queue does: a delivery whose connection breaks comes again.
        try:
            answer = requests.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=60)
        except requests.ConnectionError:
            broken.append(1)
            return False
        return answer.ok

    broken: list[int] = []
    with served(target, tmp_path, monkeypatch) as (url, log):
        wait_until(acknowledged, "the task to end", PUSH_LIMIT_S)
    assert len(broken) >= GIVE_UP_AFTER
    (problem,) = job_as_dict(store, JobState.of(store, "job-a"))["problems"]
    assert problem["state"] == "failed"
    assert problem["reason"].startswith("engine_stuck: the engine was stuck for 2 s, 3 of 3 times")
    assert f"{STUCK}.py" in problem["reason"]
    assert "1 of 3 times" in log[0]


def test_gunicorn_kills_no_silent_worker(tmp_path: Path) -> None:
    environment = {**os.environ, "DIPTYCH_STORE_URL": tmp_path.as_uri(), "DIPTYCH_PUSH_AUTH": "off"}
    config = [
        "--print-config",
        "-c",
        "python:worker_container.gunicorn_conf",
        "worker_container.app:create_app()",
    ]
    shown = subprocess.run(
        [sys.executable, "-m", "gunicorn", *config],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert re.search(r"^timeout += 0$", shown, re.MULTILINE), shown


def test_a_frozen_function_is_sound_when_it_thaws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the platform says of a request must not become gunicorn's limit on a worker's silence.
    monkeypatch.setattr(function_worker, "clean_environment", with_timeout(1))
    stage(tmp_path / "bundle", write_constraints(tmp_path / "constraints.txt"))
    server = FunctionServer(tmp_path / "bundle", tmp_path, store_url=(tmp_path / "store").as_uri()).wait()
    try:
        (worker,) = psutil.Process(server.pid).children()
        worker.suspend()
        time.sleep(4)  # gunicorn looks every second, and kills at its second look
        worker.resume()
        headers = {"Content-Type": "application/json"}
        assert requests.post(server.url, data=b"{}", headers=headers, timeout=60).ok
        assert psutil.Process(server.pid).children() == [worker]
    finally:
        server.stop()


def with_timeout(seconds: int) -> Callable[..., dict[str, str]]:
    """A platform's environment that names the request's timeout."""
    plain = function_worker.clean_environment
    return lambda *args, **settings: {**plain(*args, **settings), "CLOUD_RUN_TIMEOUT_SECONDS": str(seconds)}


def test_what_comes_back_is_left_alone_and_what_does_not_is_told(tmp_path: Path) -> None:
    code = (
        "import sys, threading; from pipeline.worker.watchdog import Watchdog\n"
        "watchdog = Watchdog(0.2, sys.argv[1]); watchdog.check()\n"
        "with watchdog.watching(): pass\n"
        "with watchdog.watching(): threading.Event().wait(float(sys.argv[2]))"
    )
    task = str(tmp_path)

    def run(wait_s: float) -> int:
        return subprocess.run(
            [sys.executable, "-c", code, task, str(wait_s)], timeout=60, check=False
        ).returncode

    assert [run(0), run(60), run(0), run(60)] == [0, 1, 0, 1]
    watchdog = Watchdog(0.2, task)
    watchdog.check()
    assert run(60) == 1
    with pytest.raises(EngineStuckError, match="3 of 3 times"):
        watchdog.check()
    Watchdog(0.2, task + "another").check()
    watchdog.forget()
    watchdog.check()


def test_without_a_folder_of_our_own_it_watches_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    watchdog = Watchdog(60, "a task")
    watchdog.check()
    with watchdog.watching():
        pass
    watchdog.forget()
