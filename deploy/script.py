"""A deployment, or its end, as a shell script: what --dry-run prints. It needs but bash and gcloud."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from deploy.command import Command
from deploy.gcloud import ENVIRONMENT
from deploy.steps import Ensure, Learn, Remove, Step

_HEAD: Final = """#!/usr/bin/env bash
# {title}
# Printed by `diptych {name} --dry-run`. Run it in the checkout's folder; run it again to go on.
set -euo pipefail
{exports}
"""
_AGAIN: Final = """
# What was made a moment ago may take a minute to be known everywhere.
again() {
  local pause
  for pause in 5 10 20 30; do
    if "$@"; then return; fi
    sleep "$pause"
  done
  "$@"
}
"""


def deploy_script(title: str, steps: Sequence[Step], closing: Sequence[str]) -> str:
    """The script of a deployment.

    Args:
        title: what it makes, in a line.
        steps: in order.
        closing: lines that the user reads at the end.
    """
    parts = [_head("deploy", title) + _AGAIN]
    parts += [f"# {number}. {step.title}\n{_shown(step)}\n" for number, step in enumerate(steps, 1)]
    farewell = "\n".join(closing)
    return "\n".join([*parts, f"cat <<'END'\n{farewell}\nEND"])


def destroy_script(title: str, steps: Sequence[Remove]) -> str:
    """The script that takes a deployment away."""
    parts = [_head("destroy", title)]
    for number, step in enumerate(steps, 1):
        removal = _indented(step.remove.shell())
        if step.gone is None:
            # Only what is there can be removed.
            removal = f"if {_quiet(step.find)}; then\n{removal}\nfi"
        else:
            removal = f"{step.remove.shell()} >/dev/null 2>&1 || true"
        parts.append(f"# {number}. {step.title}\n{removal}\n")
    return "\n".join(parts)


def _head(name: str, title: str) -> str:
    exports = "\n".join(f"export {key}={value}" for key, value in ENVIRONMENT.items())
    return _HEAD.format(name=name, title=title, exports=exports)


def _shown(step: Step) -> str:
    if isinstance(step, Learn):
        return f"{step.variable}=$({step.ask.shell()})"
    return _ensured(step)


def _ensured(step: Ensure) -> str:
    again = "again " if step.patient else ""
    make = f"{again}{step.make.shell()}"
    if step.repeatable or step.find is None or step.make == step.change:
        return make
    if step.change is None:
        return f"{_quiet(step.find)} ||\n{_indented(make)}"
    return f"if {_quiet(step.find)}; then\n{_indented(step.change.shell())}\nelse\n{_indented(make)}\nfi"


def _quiet(command: Command) -> str:
    """A question whose answer does not matter, only whether there is one."""
    return f"{command.shell()} >/dev/null 2>&1"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
