"""A project that a stand-in for gcloud plays."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.deployment import Deployment
from deploy.execute import Executor
from deploy.gcloud import ROOT, Finished, Runner, Tell, launch_process
from deploy.plan.steps import deploy_steps
from tests.support.cloud import fake_gcloud

CHANGING = ("create", "update", "delete", "deploy", "submit", "enable ", " rm ", "add-iam", "remove-iam")


class FakeProject:
    """The stand-in's side that tests see.

    Args:
        folder: where it keeps its state.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def launch(self, words: list[str], tell: Tell | None) -> Finished:
        """Play one call here; for `Runner`."""
        if words[0] == sys.executable:
            return launch_process(words, tell)
        assert words[0] == "gcloud"
        code, output, complaints = fake_gcloud.call(self.folder, words[1:])
        for line in complaints.splitlines() if tell else ():
            assert tell is not None
            tell(line)
        return Finished(code, output, complaints)

    @property
    def calls(self) -> list[str]:
        """Every call so far, the words after `gcloud`."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.is_file() else []

    @property
    def changes(self) -> list[str]:
        """The calls that change something."""
        return [call for call in self.calls if any(word in call for word in CHANGING)]

    def forget_calls(self) -> None:
        """From here on count anew."""
        (self.folder / "calls").unlink(missing_ok=True)

    @property
    def things(self) -> dict[str, Any]:
        """All that is there, by kind and name."""
        found: dict[str, Any] = json.loads((self.folder / "project.json").read_text())
        return found

    def edit(self, key: str, **changes: Any) -> None:
        """Change a document behind everybody's back; a dotted name, with "__" for ".", reaches inside."""
        things = self.things
        for path, value in changes.items():
            *parents, last = path.split("__")
            place: Any = things[key] if key else things
            for parent in parents:
                place = place[int(parent)] if parent.isdigit() else place[parent]
            place[last] = value
        (self.folder / "project.json").write_text(json.dumps(things))

    def write(self, things: dict[str, Any]) -> None:
        """Replace all that is there."""
        (self.folder / "project.json").write_text(json.dumps(things))

    def fail(self, match: str, says: str, times: int = 1) -> None:
        """Let the next calls that have `match` in them fail."""
        path = self.folder / "faults.json"
        faults = json.loads(path.read_text()) if path.is_file() else []
        path.write_text(json.dumps([*faults, {"match": match, "times": times, "says": says}]))


@pytest.fixture
def project(tmp_path: Path) -> FakeProject:
    """An empty project, whose gcloud runs inside the test: a deployment takes a hundred calls."""
    folder = tmp_path / "project"
    folder.mkdir()
    return FakeProject(folder)


@pytest.fixture
def installed(project: FakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProject:
    """The same as a program that is first on the PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "gcloud"
    module = "tests.support.cloud.fake_gcloud"
    call = f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -S -m {module} "{project.folder}" "$@"'
    program.write_text(f"#!/bin/sh\n{call}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return project


@pytest.fixture(scope="session")
def deployed_things(tmp_path_factory: pytest.TempPathFactory, deployment: Deployment) -> dict[str, Any]:
    """What a deployment makes."""
    project = FakeProject(tmp_path_factory.mktemp("deployed"))
    steps = [step for step in deploy_steps(deployment) if not step.title.startswith("function bundle")]
    Executor(Runner(launch=project.launch), lambda _: None).deploy(steps)
    return project.things


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    """A deployment with all defaults."""
    return Deployment(project="my-project", region="us-central1", source="0123456789ab")
