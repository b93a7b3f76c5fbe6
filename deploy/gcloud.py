"""Runs command lines, decodes what they print, and says in one line why one failed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.command import Command
from deploy.errors import DeployError, GcloudError, NotThere

ROOT: Final = Path(__file__).resolve().parent.parent
"""The checkout: commands name what lies in it by relative paths."""
ENVIRONMENT: Final[Mapping[str, str]] = {"CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
INSTALL: Final = "https://cloud.google.com/sdk/docs/install"

_NOT_THERE: Final = re.compile(
    r"NOT_FOUND|not found|cannot find|could not be found|does not exist|\b404\b|unknown service account", re.I
)
# Google says this to those who may not know whether something exists.
_HIDDEN: Final = re.compile(r"PERMISSION_DENIED|permission|may not exist|\b403\b", re.I)
_SIGNED_OUT: Final = re.compile(
    r"do not currently have an active account|gcloud auth login|Reauthentication|invalid_grant", re.I
)
_NOISE: Final = re.compile(r"^(?:ERROR|WARNING): (?:\([a-z0-9._-]+\) )?")
_MAX_REASON: Final = 400

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of a process.

    Args:
        code: its exit code.
        output: what it printed, unless nobody wanted to know.
        complaints: what it wrote on stderr.
    """

    code: int
    output: str
    complaints: str


Launch = Callable[[list[str], Tell | None], Finished]
"""Runs a command line to its end. With somebody to tell, its stderr is told by lines, its output dropped."""


class Runner:
    """Runs commands in the checkout's folder.

    Args:
        tell: is given each line that a long command writes; None keeps them back.
        launch: starts processes.
    """

    def __init__(self, tell: Tell | None = None, launch: Launch | None = None) -> None:
        self._tell = tell
        self._launch = launch or launch_process
        self.variables: dict[str, str] = {}
        """What has been learnt so far."""

    def read(self, command: Command) -> Any:
        """Run a command and decode the JSON that it prints.

        Raises:
            NotThere: what it asks about does not exist.
            GcloudError: it failed otherwise, or printed no JSON.
            DeployError: gcloud is not installed.
        """
        text = self._run(command, None)
        try:
            return json.loads(text or "{}")
        except ValueError as error:
            raise GcloudError(f"{command.name} printed no JSON: {text[:80]!r}", text) from error

    def ask(self, command: Command) -> str:
        """Run a command and return what it prints, stripped. Raises like `read`."""
        return self._run(command, None).strip()

    def run(self, command: Command) -> None:
        """Run a command that changes something, telling what it writes. Raises like `read`."""
        self._run(command, self._tell or (lambda _: None))

    def _run(self, command: Command, tell: Tell | None) -> str:
        finished = self._launch(command.filled(self.variables), tell)
        if finished.code:
            raise _failure(command, finished)
        return finished.output


def launch_process(words: list[str], tell: Tell | None) -> Finished:
    """Run a command line as a process. Raises DeployError if its program is not installed."""
    program = shutil.which(words[0])
    if not program:
        raise DeployError(f"{words[0]} is not installed: {INSTALL}; --dry-run prints what it would be told")
    with subprocess.Popen(
        [program, *words[1:]],
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
        stdin=subprocess.DEVNULL,
        # A command that changes something prints the whole of it there, which nobody reads.
        stdout=subprocess.DEVNULL if tell else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        output, complaints = ("", _told(process, tell)) if tell else process.communicate()
    return Finished(process.returncode, output, complaints)


def _told(process: subprocess.Popen[str], tell: Tell) -> str:
    """Tell each line of stderr as it comes, and return all of it."""
    assert process.stderr is not None
    complaints = []
    for line in process.stderr:
        complaints.append(line)
        if line.strip():
            tell(line.rstrip())
    return "".join(complaints)


def learn(variables: dict[str, str], name: str, value: str, pattern: str, title: str) -> None:
    """Keep an answer that later commands need.

    Raises:
        DeployError: the answer is not of the form that it must have.
    """
    if not re.fullmatch(pattern, value):
        raise DeployError(f"{title}: gcloud answered {value[:80]!r}, which cannot be right")
    variables[name] = value


def _failure(command: Command, finished: Finished) -> GcloudError:
    complaints = finished.complaints
    reason = _reason(complaints) or f"exit code {finished.code}"
    if _SIGNED_OUT.search(complaints):
        return GcloudError(f"gcloud is not signed in: run `gcloud auth login` ({reason})", complaints)
    if _NOT_THERE.search(complaints) and not _HIDDEN.search(complaints):
        return NotThere(f"{command.name}: {reason}", complaints)
    return GcloudError(f"{command.name}: {reason}", complaints)


def _reason(complaints: str) -> str:
    """The lines from the last "ERROR:" on, as one."""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    starts = [at for at, line in enumerate(lines) if line.startswith(("ERROR", "error:"))]
    text = " ".join(lines[starts[-1] :] if starts else lines[-3:])
    text = _NOISE.sub("", text).rstrip(".")
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}…"
