"""Execute steps in order: check the existing resources, create or change the others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from deploy.command import Command
from deploy.errors import DeployError, GcloudError, NotThere
from deploy.gcloud import Runner, learn
from deploy.steps import Ensure, FixedFact, Learn, Remove, Step

PAUSES_S: Final = (5.0, 10.0, 15.0, 30.0, 30.0, 30.0)
"""Pauses between retries until a change has propagated: two minutes in total."""
_NOT_YET: Final = re.compile(
    r"service account .*does not exist|does not exist.*service account|service agent"
    r"|has not been used in project",
    re.I | re.S,
)
_API_OFF: Final = re.compile(r"has not been used in project|SERVICE_DISABLED|API .*not enabled", re.I)

Say = Callable[[str], None]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Progress:
    """Prints progress.

    Args:
        say: prints a line.
        total: number of steps.
    """

    say: Say
    total: int

    def step(self, number: int, title: str, result: str) -> None:
        """Print the result of a step."""
        width = len(str(self.total))
        self.say(f"[{number:{width}}/{self.total}] {title}: {result}")

    def command(self, text: str) -> None:
        """Print a command before it runs."""
        self.say("  $ " + text.replace("\n", "\n    "))


class Executor:
    """Executes steps.

    Args:
        runner: runs commands.
        say: prints a line of progress.
        sleep: waits between retries.
    """

    def __init__(self, runner: Runner, say: Say, sleep: Callable[[float], None] = time.sleep) -> None:
        self._runner = runner
        self._say = say
        self._sleep = sleep

    def deploy(self, steps: Sequence[Step]) -> int:
        """Create or change every resource that differs.

        Returns:
            Number of resources created or changed.
        Raises:
            DeployError: a step failed; the message says which, why, and which steps are done.
        """
        progress = Progress(self._say, len(steps))
        changed = 0
        for number, step in enumerate(steps, 1):
            try:
                result = self._learn(step) if isinstance(step, Learn) else self._ensure(step, progress)
            except DeployError as error:
                raise _stopped(number, len(steps), step.title, error) from error
            progress.step(number, step.title, result)
            changed += result not in ("unchanged", "done") and isinstance(step, Ensure)
        return changed

    def destroy(self, steps: Sequence[Remove]) -> int:
        """Remove every resource; return how many existed. Raises DeployError as `deploy` does."""
        progress = Progress(self._say, len(steps))
        removed = 0
        for number, step in enumerate(steps, 1):
            try:
                result = self._remove(step, progress)
            except DeployError as error:
                raise _stopped(number, len(steps), step.title, error) from error
            progress.step(number, step.title, result)
            removed += result == "removed"
        return removed

    def _learn(self, step: Learn) -> str:
        answer = self._patiently(self._runner.ask, step.ask, _API_OFF)
        learn(self._runner.variables, step.variable, answer, step.pattern, step.title)
        return answer.rpartition("/")[2]

    def _ensure(self, step: Ensure, progress: Progress) -> str:
        if step.find is None:
            self._run(step.make, progress)
            return "done"
        try:
            document = self._patiently(self._runner.read, step.find, _API_OFF)
        except NotThere:
            self._run(step.make, progress)
            return "created"
        except GcloudError as error:
            raise DeployError(f"{error}{step.hint}") from error
        lacking = self._lacking(step, document)
        if not lacking:
            return "unchanged"
        if step.change is None:
            raise DeployError(lacking)
        self._run(step.change, progress)
        return "granted" if lacking == "not granted" else f"changed ({lacking})"

    def _lacking(self, step: Ensure, document: object) -> str:
        if step.lacks is None:
            return ""
        try:
            return step.lacks(document, self._runner.variables)
        except FixedFact as error:
            assert step.find is not None
            name = step.find.filled(self._runner.variables)[4]
            raise DeployError(
                f"its {error}, which cannot be changed: once it is empty, run"
                f" `gcloud pubsub subscriptions delete {name}`"
            ) from error

    def _remove(self, step: Remove, progress: Progress) -> str:
        try:
            document = self._runner.read(step.find)
        except NotThere:
            return "not found"
        except GcloudError as error:
            if _API_OFF.search(error.output):
                return "not found"
            raise
        if step.gone and step.gone(document):
            return "not found"
        self._run(step.remove, progress)
        return "removed"

    def _run(self, command: Command, progress: Progress) -> None:
        """Run a command; retry if it refers to a new resource that has not propagated yet."""
        progress.command(command.shell(self._runner.variables))
        self._patiently(self._runner.run, command, _NOT_YET)

    def _patiently(
        self, do: Callable[[Command], Answer], command: Command, transient: re.Pattern[str]
    ) -> Answer:
        """Run a command; retry while it fails transiently."""
        for pause_s in PAUSES_S:
            try:
                return do(command)
            except GcloudError as error:
                if not transient.search(error.output):
                    raise
                self._say(f"  not propagated yet: retrying in {pause_s:g} s")
                self._sleep(pause_s)
        return do(command)


def _stopped(number: int, total: int, title: str, error: DeployError) -> DeployError:
    before = "step 1 is done" if number == 2 else f"steps 1 to {number - 1} are done"
    done = before if number > 1 else "nothing was changed"
    return DeployError(
        f"step {number} of {total}, {title}: {error}; {done}: fix it and run the same command again"
    )
