"""The compose file and the images on a real engine. Minutes long: run by `make test-containers` alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.builders.compose_file import COMMANDS, PROFILES, WORKERS, services
from tests.support.servers.compose_stack import BUILD_LIMIT_S, ComposeStack, lacks_engine

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(BUILD_LIMIT_S + 900)]

CRASHES = {
    "celery": ("container", "to-container", "redis", "function", "to-function", "recovery", "page"),
    "pubsub": ("container", "pubsub", "function", "gcs", "set-up", "page"),
}


@pytest.fixture(scope="module", params=PROFILES)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    """A profile, up and well."""
    lack = lacks_engine()
    if lack:
        pytest.fail(lack)
    stack = ComposeStack(request.param, tmp_path_factory.mktemp("compose"))
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


def status_of(stack: ComposeStack, job: str) -> dict[str, Any]:
    """What `diptych status` says."""
    status: dict[str, Any] = json.loads(stack.run("diptych", "status", job, "--json"))
    return status


def test_a_job_is_generated_by_both(stack: ComposeStack) -> None:
    text = stack.run("submit-job", "-n", "16", "--seed", "7", "--job", "first", "--watch")
    assert "first" in text
    assert status_of(stack, "first")["status"] == "succeeded"
    stack.run("diptych", "results", "verify", "first", "--sample", "2")
    page = requests.get(f"{stack.page_url()}api/jobs/first", timeout=30)
    assert page.ok, page.text


def test_the_engine_holds_to_what_the_file_says(stack: ComposeStack) -> None:
    for name in services(stack.profile).keys() - {*COMMANDS}:
        found = stack.inspect(name)
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert found["Config"]["User"] not in ("", "0", "root"), name
        assert host["NanoCpus"] == 1e9, name
        assert host["Memory"] <= 4 * 1024**3, name
        assert found["State"]["Health"]["Status"] == "healthy", name


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_holds_no_torch_and_cannot_write_its_code(stack: ComposeStack, name: str) -> None:
    script = (
        "import importlib.util as u, os; print(u.find_spec('torch'), os.getuid(), os.access('/app', os.W_OK))"
    )
    assert stack.compose("exec", "--no-TTY", name, "python", "-c", script).split() == [
        "None",
        "10001",
        "False",
    ]


def test_nothing_is_lost_though_every_container_crashes(stack: ComposeStack) -> None:
    tasks = 600
    stack.run("submit-job", "-n", str(4 * tasks), "--images-per-task", "4", "--seed", "8", "--job", "crashed")
    for name in CRASHES[stack.profile]:
        stack.crash(name)
    assert status_of(stack, "crashed")["status"] == "running", "the job was too short for all of the crashes"
    stack.run("diptych", "watch", "crashed", "--json")
    status = status_of(stack, "crashed")
    assert status["status"] == "succeeded"
    assert [target["done"] for target in status["targets"].values()] == [tasks, tasks]


def test_a_model_of_ones_own_is_generated(stack: ComposeStack, tmp_path: Path) -> None:
    from benchmarks.delivery.tiny_model import write_tiny_model

    tmp_path.chmod(0o755)
    model = write_tiny_model(tmp_path)
    mount = ("--volume", f"{tmp_path}:/models:ro", "--env", "DIPTYCH_MODEL_DIR=/models")
    stack.run(*mount, "submit-job", "--model", model, "-n", "4", "--job", "own", "--watch")
    assert status_of(stack, "own")["status"] == "succeeded"
