"""A deployment or its removal as a shell script, as --dry-run prints it. It needs only bash and gcloud."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from deploy.command import Command
from deploy.gcloud import ENVIRONMENT
from deploy.steps import Ensure, Learn, Remove, Step

_HEAD: Final = """#!/usr/bin/env bash
# {title}
# Printed by `diptych {name} --dry-run`. Run it in the checkout's folder; after a failure, run it again.
set -euo pipefail
{exports}
"""
_AGAIN: Final = """
# New resources may take a minute to propagate.
again() {
  local pause
  for pause in 5 10 20 30; do
    if "$@"; then return; fi
    sleep "$pause"
  done
  "$@"
}
"""


def deploy_script(title: str, steps: Sequence[Step], next_lines: Sequence[str]) -> str:
    """The script of a deployment.

    Args:
        title: one line for the header.
        steps: in order.
        next_lines: lines that the script prints at the end.
    """
    parts = [_head("deploy", title) + _AGAIN]
    parts += [f"# {number}. {step.title}\n{_shown(step)}\n" for number, step in enumerate(steps, 1)]
    final_text = "\n".join(next_lines)
    return "\n".join([*parts, f"cat <<'END'\n{final_text}\nEND"])


def destroy_script(title: str, steps: Sequence[Remove]) -> str:
    """The script that removes a deployment."""
    parts = [_head("destroy", title)]
    for number, step in enumerate(steps, 1):
        removal = _indented(step.remove.shell())
        if step.gone is None:
            # Only existing resources can be removed.
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
    """The command with its output discarded: only its exit code matters."""
    return f"{command.shell()} >/dev/null 2>&1"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
