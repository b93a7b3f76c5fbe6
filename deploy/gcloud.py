"""Run commands, decode their output, and report a failure in one line."""

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
"""The checkout: commands use paths relative to it."""
ENVIRONMENT: Final[Mapping[str, str]] = {"CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
INSTALL: Final = "https://cloud.google.com/sdk/docs/install"

_NOT_THERE: Final = re.compile(
    r"NOT_FOUND|not found|cannot find|could not be found|does not exist|\b404\b|unknown service account", re.I
)
# Google's response where the caller may not learn whether a resource exists.
_HIDDEN: Final = re.compile(r"PERMISSION_DENIED|permission|may not exist|\b403\b", re.I)
_SIGNED_OUT: Final = re.compile(
    r"do not currently have an active account|gcloud auth login|Reauthentication|invalid_grant", re.I
)
_NOISE: Final = re.compile(r"^(?:ERROR|WARNING): (?:\([a-z0-9._-]+\) )?")
_MAX_REASON: Final = 400

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of a process.

    Args:
        code: its exit code.
        output: its stdout; "" if it was discarded.
        stderr: its stderr.
    """

    code: int
    output: str
    stderr: str


Launch = Callable[[list[str], Tell | None], Finished]
"""Runs a command line. With a `Tell`, each line of stderr is passed to it and stdout is discarded."""


class Runner:
    """Runs commands in the checkout's folder.

    Args:
        tell: receives each line that a command that changes something writes; None discards them.
        launch: starts processes.
    """

    def __init__(self, tell: Tell | None = None, launch: Launch | None = None) -> None:
        self._tell = tell
        self._launch = launch or launch_process
        self.variables: dict[str, str] = {}
        """The variables looked up so far."""

    def read(self, command: Command) -> Any:
        """Run a command and decode its JSON output.

        Raises:
            NotThere: the resource does not exist.
            GcloudError: it failed otherwise, or its output is not JSON.
            DeployError: gcloud is not installed.
        """
        text = self._run(command, None)
        try:
            return json.loads(text or "{}")
        except ValueError as error:
            raise GcloudError(f"{command.name} printed no JSON: {text[:80]!r}", text) from error

    def ask(self, command: Command) -> str:
        """Run a command and return its output, stripped. Raises like `read`."""
        return self._run(command, None).strip()

    def run(self, command: Command) -> None:
        """Run a command that changes something, reporting its output. Raises like `read`."""
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
        raise DeployError(f"{words[0]} is not installed: {INSTALL}; --dry-run prints the commands")
    with subprocess.Popen(
        [program, *words[1:]],
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
        stdin=subprocess.DEVNULL,
        # A command that changes a resource prints the whole resource, which is not needed.
        stdout=subprocess.DEVNULL if tell else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        output, stderr = ("", _forward(process, tell)) if tell else process.communicate()
    return Finished(process.returncode, output, stderr)


def _forward(process: subprocess.Popen[str], tell: Tell) -> str:
    """Forward each line of stderr as it arrives, and return all of it."""
    assert process.stderr is not None
    stderr = []
    for line in process.stderr:
        stderr.append(line)
        if line.strip():
            tell(line.rstrip())
    return "".join(stderr)


def learn(variables: dict[str, str], name: str, value: str, pattern: str, title: str) -> None:
    """Store a value that later commands need.

    Raises:
        DeployError: the value does not match the pattern.
    """
    if not re.fullmatch(pattern, value):
        raise DeployError(f"{title}: gcloud returned {value[:80]!r}, which is not valid")
    variables[name] = value


def _failure(command: Command, finished: Finished) -> GcloudError:
    stderr = finished.stderr
    reason = _reason(stderr) or f"exit code {finished.code}"
    if _SIGNED_OUT.search(stderr):
        return GcloudError(f"gcloud is not signed in: run `gcloud auth login` ({reason})", stderr)
    if _NOT_THERE.search(stderr) and not _HIDDEN.search(stderr):
        return NotThere(f"{command.name}: {reason}", stderr)
    return GcloudError(f"{command.name}: {reason}", stderr)


def _reason(stderr: str) -> str:
    """The lines from the last "ERROR:" on, as one."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    starts = [at for at, line in enumerate(lines) if line.startswith(("ERROR", "error:"))]
    text = " ".join(lines[starts[-1] :] if starts else lines[-3:])
    text = _NOISE.sub("", text).rstrip(".")
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}…"
