"""Doctor of stacks that run on this machine: `diptych doctor` as a user calls it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from pipeline.config.pubsub_settings import PubSubAddress
from tests.support.servers.pubsub_emulator import find_command
from tests.support.servers.up_process import ANY_PORTS, DIPTYCH, StackProcess, environment
from tests.support.waiting import LIMIT_S

MORE_PORTS = ("--port-pubsub", "0", "--port-gcs", "0", "--no-page")


def call(folder: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [DIPTYCH, *words], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def doctor(folder: Path) -> tuple[int, dict[str, dict[str, str]]]:
    code, text = call(folder, "doctor", "--json")
    return code, {check["name"]: check for check in json.loads(text)}


@pytest.fixture(params=["celery", "pubsub"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StackProcess]:
    if request.param == "pubsub":
        find_command()
    process = StackProcess(tmp_path, "up", "--broker", request.param, *ANY_PORTS, *MORE_PORTS)
    try:
        process.wait_ready()
        yield process
    finally:
        process.kill()


def test_a_running_stack_and_what_is_wrong_with_it(stack: StackProcess) -> None:
    run_file = stack.wait_ready()
    code, found = doctor(stack.folder)
    assert (code, [check for check in found.values() if check["status"] in ("warn", "fail")]) == (0, [])
    assert found["measured task time, container"]["status"] == "skipped"
    for name in ("stack", "container", "function", "equal resources", "broker", "store", "clock", "model"):
        assert found[name]["status"] == "ok"

    code, text = call(stack.folder, "submit", "-n", "8", "--images-per-task", "2", "--watch")
    assert code == 0, text
    code, found = doctor(stack.folder)
    for target in ("container", "function"):
        measured = found[f"measured task time, {target}"]
        assert measured["status"] == "ok"
        assert "over the latest 4 records" in measured["detail"]

    if run_file.broker_url.startswith("pubsub://"):
        wrong_subscriptions(stack.folder, PubSubAddress.parse(run_file.broker_url))
    stack.process.terminate()
    stack.wait()
    code, text = call(stack.folder, "doctor")
    assert code == 1
    ended, mend, *_ = text.splitlines()
    assert ended.startswith("fail     stack: the stack started at ")
    assert mend.strip().startswith("fix: diptych up")


def wrong_subscriptions(folder: Path, address: PubSubAddress) -> None:
    base = f"http://{address.emulator}/v1"
    name = address.subscription_path("diptych-function")
    body = {"subscription": {"name": name, "ackDeadlineSeconds": 20}, "updateMask": "ackDeadlineSeconds"}
    requests.patch(f"{base}/{name}", json=body, timeout=LIMIT_S).raise_for_status()
    gone = address.subscription_path(address.dead_letter_push)
    requests.delete(f"{base}/{gone}", timeout=LIMIT_S).raise_for_status()
    code, found = doctor(folder)
    assert code == 1
    assert "ack deadline is 20 s, not 600 s" in found["subscription diptych-function"]["detail"]
    assert "is missing" in found[f"subscription {address.dead_letter_push}"]["detail"]
    assert found["subscription diptych-container"]["status"] == "ok"
    assert found["subscription diptych-function"]["mend"].endswith("diptych up --broker pubsub")


def test_where_there_is_no_stack(tmp_path: Path) -> None:
    code, text = call(tmp_path, "doctor")
    assert code == 0
    assert text.startswith("skipped  stack: not started in this folder or above it (`diptych up`)")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--project", "my-project"], "give --project and --region together"),
        (["--project", "MY", "--region", "us-central1"], "bad --project 'MY'"),
        (["--prefix", "other"], "--prefix and --bucket are for a deployment"),
        (
            ["--project", "my-project", "--region", "us-central1", "--store", "file:///x"],
            "--store is for the local stack",
        ),
    ],
)
def test_bad_options_are_one_line(tmp_path: Path, words: list[str], says: str) -> None:
    code, text = call(tmp_path, "doctor", *words)
    assert code != 0
    assert says in text
    assert len(text.splitlines()) == 1
