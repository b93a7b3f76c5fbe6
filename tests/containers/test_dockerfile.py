"""What the Dockerfile says, and the lists that it installs."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import ROOT
from tests.support.builders.docker_file import instructions, stages

IMAGES = ("cli", "page", "set-up", "gcs", "celery", "function", "container")
SERVERS = ("page", "set-up", "gcs", "celery", "function", "container")
LISTS = ("docker/container.txt", "docker/celery.txt", "docker/gcs.txt", "worker_function/requirements.txt")


def names(path: str) -> set[str]:
    """The distributions that a list names."""
    lines = (ROOT / path).read_text().splitlines()
    return {canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("#")}


def test_every_image_has_a_target_and_cloud_run_builds_the_last() -> None:
    assert {*IMAGES} <= stages().keys()
    assert [*stages()][-1] == "container"


@pytest.mark.parametrize("image", IMAGES)
def test_nothing_runs_as_root(image: str) -> None:
    assert instructions(image, "USER")[-1] == "10001:10001"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_stands_on_the_lean_base_alone(image: str) -> None:
    stage = stages()[image]
    while stage.name != "base":
        stage = stages()[stage.base]
    assert stage.base == "python:${PYTHON_VERSION}-slim-trixie"


@pytest.mark.parametrize("image", SERVERS)
def test_a_server_has_a_health_check(image: str) -> None:
    assert 'CMD ["health", ' in instructions(image, "HEALTHCHECK")[-1]


def test_whatever_is_copied_between_stages_has_its_stage() -> None:
    copied = re.findall(r"--from=(\S+)", (ROOT / "Dockerfile").read_text())
    assert copied
    assert {*copied} <= stages().keys()


def test_no_image_is_called_latest() -> None:
    bases = {stage.base for stage in stages().values()} - stages().keys()
    assert all(":" in base and not base.endswith(":latest") for base in bases)


def test_the_context_holds_every_package_and_no_tests() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    admitted = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert {*packages["wheel"]["packages"]} <= admitted
    assert not admitted & {"tests", ".git", ".venv", ".diptych", ".env", "shared"}
    assert all((ROOT / name).exists() for name in admitted)


def test_cloud_build_gets_the_same_files() -> None:
    docker, cloud = (
        {line[1:] for line in (ROOT / name).read_text().splitlines() if line[:1] == "!"}
        for name in (".dockerignore", ".gcloudignore")
    )
    assert cloud == {f"/{name}" for name in docker} | {"/Dockerfile", "/.dockerignore"}


@pytest.mark.parametrize("path", LISTS)
def test_what_is_installed_is_pinned_and_no_torch(path: str) -> None:
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {canonicalize_name(Requirement(line).name) for line in pins if line and line[0] != "#"}
    assert names(path) <= pinned
    assert not names(path) & {"torch", "torchvision", "diffusers", "transformers"}


def test_both_workers_have_the_same_libraries_but_for_their_servers() -> None:
    function, container = names("worker_function/requirements.txt"), names("docker/container.txt")
    assert function - container == {"cloudevents", "functions-framework"}
    # google-auth verifies who pushes; at the function the platform does.
    assert container - function == {"gunicorn", "google-auth"}
