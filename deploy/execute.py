"""Goes through the steps, one after the other: asks what is there, and makes what is not."""

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
"""Between tries of what is not known everywhere yet: two minutes in all."""
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
    """Who is told what happens.

    Args:
        say: given each line.
        total: steps in all.
    """

    say: Say
    total: int

    def step(self, number: int, title: str, what: str) -> None:
        """One step's line."""
        width = len(str(self.total))
        self.say(f"[{number:{width}}/{self.total}] {title}: {what}")

    def command(self, text: str) -> None:
        """A command that is about to run."""
        self.say("  $ " + text.replace("\n", "\n    "))


class Executor:
    """Carries steps out.

    Args:
        runner: runs commands.
        say: given each line of progress.
        sleep: waits; tests need not.
    """

    def __init__(self, runner: Runner, say: Say, sleep: Callable[[float], None] = time.sleep) -> None:
        self._runner = runner
        self._say = say
        self._sleep = sleep

    def deploy(self, steps: Sequence[Step]) -> int:
        """Make everything so.

        Returns:
            How many things had to be made or changed.
        Raises:
            DeployError: a step failed; the text says which, why, and what is done.
        """
        progress = Progress(self._say, len(steps))
        changed = 0
        for number, step in enumerate(steps, 1):
            try:
                what = self._learn(step) if isinstance(step, Learn) else self._ensure(step, progress)
            except DeployError as error:
                raise _stopped(number, len(steps), step.title, error, "goes on there") from error
            progress.step(number, step.title, what)
            changed += what not in ("there", "done") and isinstance(step, Ensure)
        return changed

    def destroy(self, steps: Sequence[Remove]) -> int:
        """Take everything away; return how many things there were. Raises DeployError as `deploy` does."""
        progress = Progress(self._say, len(steps))
        removed = 0
        for number, step in enumerate(steps, 1):
            try:
                what = self._remove(step, progress)
            except DeployError as error:
                raise _stopped(number, len(steps), step.title, error, "goes on there") from error
            progress.step(number, step.title, what)
            removed += what == "removed"
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
            return "made"
        except GcloudError as error:
            raise DeployError(f"{error}{step.hint}") from error
        lacking = self._lacking(step, document)
        if not lacking:
            return "there"
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
                f"its {error}, which Google lets nobody change: once it is empty,"
                f" `gcloud pubsub subscriptions delete {name}`"
            ) from error

    def _remove(self, step: Remove, progress: Progress) -> str:
        try:
            document = self._runner.read(step.find)
        except NotThere:
            return "not there"
        except GcloudError as error:
            if _API_OFF.search(error.output):
                return "not there"
            raise
        if step.gone and step.gone(document):
            return "not there"
        self._run(step.remove, progress)
        return "removed"

    def _run(self, command: Command, progress: Progress) -> None:
        """Run a command, again if what it names was made a moment ago and is not known everywhere yet."""
        progress.command(command.shell(self._runner.variables))
        self._patiently(self._runner.run, command, _NOT_YET)

    def _patiently(
        self, do: Callable[[Command], Answer], command: Command, passing: re.Pattern[str]
    ) -> Answer:
        """Run a command, again for as long as it fails in a way that passes by itself."""
        for pause_s in PAUSES_S:
            try:
                return do(command)
            except GcloudError as error:
                if not passing.search(error.output):
                    raise
                self._say(f"  not known everywhere yet: again in {pause_s:g} s")
                self._sleep(pause_s)
        return do(command)


def _stopped(number: int, total: int, title: str, error: DeployError, goes_on: str) -> DeployError:
    before = "step 1 is done" if number == 2 else f"steps 1 to {number - 1} are done"
    done = before if number > 1 else "nothing was changed"
    return DeployError(
        f"step {number} of {total}, {title}: {error}; {done}: mend it, and the same command {goes_on}"
    )
