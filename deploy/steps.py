"""A step: something that must be so, the command that tells, and the command that makes it so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from deploy.command import Command, Variables, gcloud
from deploy.facts import Document, Facts, differences, has_binding

JSON: Final = "--format=json"

Lacks = Callable[[Any, Variables], str]
"""Given a decoded answer: what is not as wanted, or ""."""


@dataclass(frozen=True, slots=True)
class Ensure:
    """Something that must be there, as wanted.

    Args:
        title: what it is: "topic diptych-tasks".
        make: makes it.
        find: prints it as JSON, and fails if it is not there; None: `make` does no harm where it is.
        change: brings one that is there to what is wanted; None: it cannot differ.
        lacks: compares what `find` printed.
        repeatable: `make` may be run whatever is there, so that a script need not ask.
        patient: what it refers to may take a minute to be known everywhere, so it is tried again.
        hint: what to do if it cannot be looked at.
        tailored: what is wanted depends on the options of the command, which only its user knows.
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
    """Something that later commands must know.

    Args:
        title: what it is.
        variable: its name in later commands.
        ask: prints it, alone.
        pattern: regular expression of what the answer must look like.
    """

    title: str
    variable: str
    ask: Command
    pattern: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Something that must be gone.

    Args:
        title: what it is.
        find: prints it as JSON, and fails if it is not there.
        remove: removes it.
        gone: True if what `find` printed shows that it is not there after all.
    """

    title: str
    find: Command
    remove: Command
    gone: Callable[[Document], bool] | None = None


Step = Ensure | Learn


def expecting(wanted: Facts, facts: Callable[[Document], Facts], never_changes: Sequence[str] = ()) -> Lacks:
    """Compare facts, which may hold variables.

    Args:
        wanted: what must hold.
        facts: reads them from a document.
        never_changes: names of facts that Google lets nobody change.
    Returns:
        A comparison. It raises FixedFact for a difference that no command mends.
    """

    def lacks(document: Any, variables: Variables) -> str:
        filled = {name: Command((value,)).filled(variables)[0] for name, value in wanted.items()}
        found = facts(document)
        stuck = differences({name: filled[name] for name in never_changes}, found)
        if stuck:
            raise FixedFact(stuck)
        return differences(filled, found)

    return lacks


class FixedFact(Exception):
    """Something is there that differs in a way that no command can change; the text says how."""


def grant(title: str, resource: str, words: Sequence[str], member: str, role: str) -> Ensure:
    """A role that a service account must have on one resource.

    Args:
        title: who may do what.
        resource: gcloud's words for its kind: "pubsub topics".
        words: the resource's name and what places it (project, region).
        member: e-mail of the service account, possibly with variables.
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
    """The same grant, narrowed by an IAM condition.

    Args:
        step: made by `grant`.
        title: the condition's name.
        expression: what must hold, in the Common Expression Language.
    """
    make = step.make.adding(f"--condition=title={title},expression={expression}")
    return replace(step, make=make, change=make)


def revoke(title: str, resource: str, words: Sequence[str], member: str, role: str, *more: str) -> Remove:
    """The opposite of `grant`.

    Args:
        title: who may do what no longer.
        resource: gcloud's words for its kind.
        words: the resource's name and what places it.
        member: e-mail of the service account.
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
