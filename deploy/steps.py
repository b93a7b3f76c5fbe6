"""A step: a resource, the command that reads it, and the commands that create, change or remove it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from deploy.command import Command, Variables, gcloud
from deploy.facts import Document, Facts, differences, has_binding

JSON: Final = "--format=json"

Lacks = Callable[[Any, Variables], str]
"""Given decoded output: the differences from what is expected, or ""."""


@dataclass(frozen=True, slots=True)
class Ensure:
    """A resource that must exist with the expected properties.

    Args:
        title: description, e.g. "topic diptych-tasks".
        make: creates it.
        find: prints it as JSON, and fails if it does not exist; None: `make` is idempotent.
        change: updates an existing one; None: it cannot differ.
        lacks: compares the output of `find`.
        repeatable: `make` is idempotent, so a script need not check first.
        patient: it refers to resources that may take a minute to propagate, so it is retried.
        hint: what to do if it cannot be read.
        tailored: the expected properties depend on options of `deploy`, which doctor does not know.
    """

    title: str
    make: Command
    find: Command | None = None
    change: Command | None = None
    lacks: Lacks | None = None
    repeatable: bool = False
    patient: bool = False
    hint: str = ""
    tailored: bool = False


@dataclass(frozen=True, slots=True)
class Learn:
    """A value that later commands need.

    Args:
        title: description.
        variable: its name in later commands.
        ask: prints it alone.
        pattern: regular expression that the value must match.
    """

    title: str
    variable: str
    ask: Command
    pattern: str


@dataclass(frozen=True, slots=True)
class Remove:
    """A resource to remove.

    Args:
        title: description.
        find: prints it as JSON, and fails if it does not exist.
        remove: removes it.
        gone: True if the output of `find` shows that it does not exist.
    """

    title: str
    find: Command
    remove: Command
    gone: Callable[[Document], bool] | None = None


Step = Ensure | Learn


def expecting(
    expected: Facts, facts: Callable[[Document], Facts], never_changes: Sequence[str] = ()
) -> Lacks:
    """Compare facts, which may hold variables.

    Args:
        expected: the facts that must hold.
        facts: extracts facts from a document.
        never_changes: names of facts that cannot be changed.
    Returns:
        A comparison. It raises FixedFact for a difference that no command can change.
    """

    def lacks(document: Any, variables: Variables) -> str:
        filled = {name: Command((value,)).filled(variables)[0] for name, value in expected.items()}
        actual = facts(document)
        stuck = differences({name: filled[name] for name in never_changes}, actual)
        if stuck:
            raise FixedFact(stuck)
        return differences(filled, actual)

    return lacks


class FixedFact(Exception):
    """A resource differs in a property that cannot be changed; the message names it."""


def grant(title: str, resource: str, words: Sequence[str], member: str, role: str) -> Ensure:
    """Grant a service account a role on one resource.

    Args:
        title: description.
        resource: gcloud's name of its kind: "pubsub topics".
        words: the resource's name and location (project, region).
        member: email of the service account, possibly with variables.
        role: "roles/…".
    """
    principal = f"serviceAccount:{member}"

    def lacks(document: Any, variables: Variables) -> str:
        filled = Command((principal,)).filled(variables)[0]
        return "" if has_binding(document, filled, role) else "not granted"

    add = gcloud(f"{resource} add-iam-policy-binding", *words, f"--member={principal}", f"--role={role}")
    return Ensure(
        title=title,
        find=gcloud(f"{resource} get-iam-policy", *words, JSON),
        make=add,
        change=add,
        lacks=lacks,
        repeatable=True,
        patient=True,
    )


def under_condition(step: Ensure, title: str, expression: str) -> Ensure:
    """The same grant with an IAM condition.

    Args:
        step: made by `grant`.
        title: name of the condition.
        expression: the condition in Common Expression Language.
    """
    make = step.make.adding(f"--condition=title={title},expression={expression}")
    return replace(step, make=make, change=make)


def revoke(title: str, resource: str, words: Sequence[str], member: str, role: str, *more: str) -> Remove:
    """The opposite of `grant`.

    Args:
        title: description.
        resource: gcloud's name of its kind.
        words: the resource's name and location.
        member: email of the service account.
        role: "roles/…".
        more: flags of the removal.
    """
    principal = f"serviceAccount:{member}"
    flags = (f"--member={principal}", f"--role={role}", *more)
    return Remove(
        title=title,
        find=gcloud(f"{resource} get-iam-policy", *words, JSON),
        remove=gcloud(f"{resource} remove-iam-policy-binding", *words, *flags),
        gone=lambda policy: not has_binding(policy, principal, role),
    )
