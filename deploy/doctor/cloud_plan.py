"""Check each step of deploy that does not depend on its options. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from deploy.command import Command
from deploy.deployment import Deployment
from deploy.doctor.check import Check, fail, ok, skipped
from deploy.errors import DeployError, GcloudError, NotThere
from deploy.gcloud import Runner, learn
from deploy.plan.steps import deploy_steps
from deploy.steps import Ensure, FixedFact, Learn

AT_ONCE: Final = 6
"""gcloud takes a second to start: several run in parallel."""


def learn_checks(runner: Runner, deployment: Deployment) -> Iterator[Check]:
    """Look up the values that other commands need: the project number, the function's trigger."""
    for step in deploy_steps(deployment):
        if isinstance(step, Learn):
            try:
                learn(runner.variables, step.variable, runner.ask(step.ask), step.pattern, step.title)
            except KeyError:
                yield skipped(step.title, "a value it needs is missing")
            except DeployError as error:
                yield fail(step.title, str(error), again(deployment))
            else:
                yield ok(step.title, runner.variables[step.variable].rpartition("/")[2])


def step_checks(runner: Runner, deployment: Deployment) -> Iterator[Check]:
    """Check every step that does not depend on the options of deploy."""
    steps = [
        step
        for step in deploy_steps(deployment)
        if isinstance(step, Ensure) and step.find is not None and not step.tailored
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda step: step_check(runner, step), steps)


def step_check(runner: Runner, step: Ensure) -> Check:
    """Check one step."""
    assert step.find is not None
    try:
        document = runner.read(step.find)
        lacking = step.lacks(document, runner.variables) if step.lacks else ""
    except KeyError as error:
        return skipped(step.title, f"{error.args[0]} is unknown")
    except NotThere:
        return fail(step.title, "is missing", _shown(runner, [step.make]))
    except FixedFact as error:
        name = step.find.filled(runner.variables)[4]
        delete = Command(("gcloud", "pubsub", "subscriptions", "delete", name, step.find.words[5]))
        return fail(step.title, str(error), _shown(runner, [delete, step.make]))
    except GcloudError as error:
        return fail(step.title, f"{error}{step.hint}")
    if lacking:
        return fail(step.title, lacking, _shown(runner, [step.change or step.make]))
    return ok(step.title, "as expected")


def again(deployment: Deployment) -> str:
    """The deploy command that repairs everything."""
    words = ["diptych deploy", f"--project {deployment.project}", f"--region {deployment.region}"]
    if deployment.prefix != "diptych":
        words.append(f"--prefix {deployment.prefix}")
    if deployment.bucket_name:
        words.append(f"--bucket {deployment.bucket_name}")
    return " ".join(words)


def _shown(runner: Runner, commands: Sequence[Command]) -> str:
    return "\n".join(command.shell(runner.variables) for command in commands)
