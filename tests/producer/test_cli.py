"""The commands as users run them: a real broker, a real store, real settings."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from diptych.commands.jobs.output import push_bar
from model.registry import Registry
from pipeline.config.celery_settings import queue_name
from pipeline.protocol.clock import utc_now
from results import naming
from results.documents import JSON_TYPE, DeadLetter, dump
from results.stores.directory import DirectoryStore
from tests.producer.conftest import SUBMIT, Run, document, end_task
from tests.support.builders.checkpoints import save_tiny
from tests.support.servers.valkey import ValkeyServer, free_port


def finish(store: DirectoryStore, *targets: str, tasks: int = 4) -> None:
    for target in targets:
        for task in range(tasks):
            end_task(store, naming.record_name("j", target, task))


def test_submit_prints_the_name_alone_on_stdout(run: Run, valkey: ValkeyServer) -> None:
    result = run(*SUBMIT)
    assert (result.exit_code, result.stdout) == (0, "j\n")
    assert "10 images, seed 7, 4 tasks for container and function" in result.stderr
    assert valkey.length(queue_name("container")) == valkey.length(queue_name("function")) == 4
    again = run(*SUBMIT)
    assert (again.exit_code, again.stdout) == (0, "j\n")
    assert "already exists" in again.stderr
    assert valkey.length(queue_name("container")) == 4


def test_submit_as_json(run: Run) -> None:
    found = document(run(*SUBMIT, "--json", "--target", "celery", "--precision", "fp32"))
    assert (found["job_id"], found["created"], found["messages_published"]) == ("j", True, 4)
    assert found["request"]["targets"] == ["celery"]
    assert found["request"]["precision"] == "fp32"


def test_submit_pushes_a_model_of_the_users_own(run: Run, store: DirectoryStore) -> None:
    assert run(*SUBMIT, "--no-push").exit_code == 0
    assert list(store.list("models/")) == []
    result = run("submit", "-n", 1, "-m", "tiny", "--job", "k")
    assert result.stdout == "k\n"
    assert "pushed tiny (0.0 MB) to the store, where workers download it" in result.stderr
    (pushed,) = store.list("models/")
    assert pushed.size_bytes > 0
    found = document(run("submit", "-n", 1, "-m", "tiny", "--job", "l", "--json"))
    assert found["model_pushed_bytes"] == 0


def test_a_long_push_shows_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    save_tiny(tmp_path)
    model = Registry(tmp_path).get("tiny")
    size = model.path.stat().st_size
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert push_bar(model) is None
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    bar = push_bar(model)
    assert bar is not None
    assert terminal.getvalue() == ""
    for sent in (0, size // 2, size // 4, size):
        bar(sent)
    text = terminal.getvalue()
    assert "pushing tiny" in text
    assert " 50%" in text
    assert "100%" in text.rstrip().rpartition("\r")[2]


def test_a_dry_run_writes_and_publishes_nothing(
    run: Run, store: DirectoryStore, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIPTYCH_STORE_URL", "")
    monkeypatch.setenv("DIPTYCH_BROKER_URL", "")
    result = run("submit", "-n", 1_000_000, "-m", "tiny", "--seed", 7, "--dry-run")
    assert result.exit_code == 0
    assert "1,000,000 images of tiny (16x16), seed 7, for container and function" in result.stdout
    assert "3,907 tasks per target, 256 images each" in result.stdout
    found = document(run("submit", "-n", 300, "-m", "tiny", "--dry-run", "--json"))
    assert (found["tasks_per_target"], found["images_per_task"], found["dry_run"]) == (2, 256, True)
    assert not list(store.root.iterdir())
    assert valkey.length(queue_name("container")) == 0


def test_a_broker_that_is_down_leaves_a_job_that_can_be_resumed(run: Run, valkey: ValkeyServer) -> None:
    result = run(*SUBMIT, "--broker", f"redis://127.0.0.1:{free_port()}/0")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: the broker does not answer")
    assert "`diptych resume j`" in line

    view = document(run("status", "j", "--json"))
    assert view["targets"]["container"]["unpublished"] == 4
    assert "diptych resume j" in run("status", "j").stdout
    assert "4 tasks never reached the broker: `diptych resume j`" in run(*SUBMIT).stderr
    assert document(run("resume", "j", "--json"))["messages_published"] == 8
    assert valkey.length(queue_name("function")) == 4
    assert run("resume", "j").stdout == "job j: no task is unpublished\n"


def test_resume_lost_says_what_it_found(
    run: Run, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.celery.lost_tasks.SCAN_PAUSE_S", 0.0)
    run(*SUBMIT)
    nothing: dict[str, Any] = {
        "job_id": "j",
        "publication": None,
        "messages_published": 0,
        "stalled": 0,
        "lost": {},
        "given_back": 0,
    }
    assert document(run("resume", "j", "--lost", "--json")) == nothing
    assert run("resume", "j", "--lost").stdout == "job j: no task is unpublished or lost\n"
    valkey.command(f"DEL {queue_name('container')}")
    found = {"publication": 1, "messages_published": 4, "lost": {"container": 4}}
    assert document(run("resume", "j", "--lost", "--json")) == nothing | found
    valkey.command(f"RPOP {queue_name('function')}")
    assert run("resume", "j", "--lost").stdout == "job j: 1 task published again, 1 of them lost\n"
    valkey.command("FLUSHALL")
    result = run("resume", "j", "--lost")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: this broker does not know job j: ")


def test_status_tells_what_failed_and_why(run: Run, store: DirectoryStore, valkey: ValkeyServer) -> None:
    run(*SUBMIT)
    finish(store, "function")
    finish(store, "container", tasks=2)
    letter = DeadLetter(
        job_id="j", task_index=3, publication=0, target="container", message_id="m", attempts=100,
        last_error="500 from http://127.0.0.1/", dead_at=utc_now(),
    )  # fmt: skip
    store.create(naming.deadletter_name("j", "container", 3, 0), dump(letter), JSON_TYPE)
    assert "status   stuck: nobody delivers to the container: no worker serves" in run("status", "j").stdout
    with Redis(port=valkey.port, client_name="diptych-container:7:a-worker") as worker:
        worker.ping()
        lines = run("status", "j").stdout.splitlines()
    assert "status   running" in lines
    assert "container          6/10 images   4 tasks: 2 done, 1 dead, 1 published" in lines
    assert "  ! container task 3 dead: 100 attempts, last error: 500 from http://127.0.0.1/" in lines
    assert any("`diptych retry j`" in line for line in lines)

    assert document(run("retry", "j", "--json"))["messages_published"] == 1
    view = document(run("status", "j", "--json"))
    assert view["problems"] == []
    assert view["targets"]["container"]["published"] == 2
    assert run("retry", "j").stdout == "job j: no task has failed\n"


def test_a_damaged_failure_does_not_hide_the_state(run: Run, store: DirectoryStore) -> None:
    run(*SUBMIT)
    end_task(store, naming.failure_name("j", "container", 0, 0, "d"))
    (problem,) = document(run("status", "j", "--json"))["problems"]
    assert "cannot be read" in problem["reason"]


def test_watch_ends_with_the_job_and_its_exit_code_tells(run: Run, store: DirectoryStore) -> None:
    run(*SUBMIT)
    finish(store, "container", "function")
    done = run("watch", "j")
    assert done.exit_code == 0
    assert "status   succeeded" in done.stdout
    assert run(*SUBMIT, "--watch").exit_code == 0

    run("submit", "-n", 1, "-m", "tiny", "--job", "k", "--target", "celery")
    end_task(store, naming.failure_name("k", "celery", 0, 0, "d"))
    failed = run("watch", "k", "--json")
    assert failed.exit_code == 3
    assert json.loads(failed.stdout.splitlines()[-1])["status"] == "failed"


def test_ctrl_c_ends_the_watch_and_not_the_job(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run(*SUBMIT)

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("producer.watch.watch", interrupt)
    result = run("watch", "j")
    assert result.exit_code == 130
    assert "the job continues; `diptych watch j` resumes watching it" in result.stderr


def test_cancel_and_what_follows(run: Run) -> None:
    run(*SUBMIT)
    assert run("cancel", "j").stdout == "job j cancelled\n"
    assert document(run("cancel", "j", "--json")) == {"job_id": "j", "cancelled_now": False}
    assert run("resume", "j", "--stalled", "10m").exit_code == 1
    assert document(run("status", "j", "--json"))["status"] == "cancelled"
    assert run("watch", "j").exit_code == 3


def test_jobs_are_listed_latest_first_and_a_damaged_one_does_not_hide_them(
    run: Run, store: DirectoryStore
) -> None:
    assert "no jobs yet" in run("jobs").stderr
    for name in ("one", "two", "three"):
        run("submit", "-n", 4, "-m", "tiny", "--job", name)
    store.create("jobs/broken/job.json", b"{", JSON_TYPE)
    lines = run("jobs").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["three", "two", "one", "broken"]
    assert "container 0/4, function 0/4" in lines[0]
    assert "unreadable" in lines[3]
    result = run("jobs", "--json", "--limit", 2)
    assert [job["job_id"] for job in json.loads(result.stdout)] == ["three", "two"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("submit", "-n", 0, "-m", "tiny"), "cannot generate 0 images: the count must be 1 to 100,000,000"),
        (("submit", "-n", -1, "-m", "tiny"), "cannot generate -1 images"),
        (("submit", "-n", 10**12, "-m", "tiny"), "cannot generate 1000000000000 images"),
        (("submit", "-n", 1, "-m", "nope"), "unknown model nope"),
        (("submit", "-n", 1, "-m", "tiny", "--job", "../x"), "--job: bad name '../x'"),
        (("submit", "-n", 1, "-m", "tiny", "--param", "steps=3"), "takes no params, but got steps"),
        (("submit", "-n", 1, "-m", "tiny", "--param", f"steps={'[' * 90_000}"), "takes no params"),
        (("submit", "-n", 1, "-m", "tiny", "--store", "s3://x"), "bad store URL 's3://x'"),
        (("status", "x" * 300), "JOB: bad name"),
        (("watch", "no-such"), "no job 'no-such' in file://"),
        (("cancel", "no-such"), "no job 'no-such'"),
    ],
)
def test_every_error_is_one_line(run: Run, arguments: tuple[Any, ...], complaint: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert complaint in line


def test_without_a_stack_the_commands_say_what_to_start(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIPTYCH_BROKER_URL", "")
    assert "`diptych up`" in run(*SUBMIT).stderr
    monkeypatch.setenv("DIPTYCH_STORE_URL", "")
    assert "`diptych up`" in run("jobs").stderr
