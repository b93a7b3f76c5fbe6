"""The stages of the Dockerfile."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from tests.support import ROOT

_FROM: Final = re.compile(r"FROM\s+(\S+)\s+AS\s+(\S+)")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage.

    Args:
        name: what `--target` takes.
        base: a stage or an image.
        lines: its instructions, one a line, whatever their length in the file.
    """

    name: str
    base: str
    lines: tuple[str, ...]


@cache
def stages() -> dict[str, Stage]:
    """All stages by name, in their order."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    found: dict[str, Stage] = {}
    name, base, lines = "", "", list[str]()
    for line in [*text.splitlines(), "FROM end AS end"]:
        match = _FROM.fullmatch(line.strip())
        if match:
            if name:
                found[name] = Stage(name, base, tuple(lines))
            base, name, lines = match[1], match[2], []
        elif line.strip() and not line.startswith("#"):
            lines.append(line.strip())
    return found


def instructions(name: str, keyword: str) -> list[str]:
    """The arguments of an instruction in a stage and in those that it stands on, those first."""
    stage = stages()[name]
    inherited = instructions(stage.base, keyword) if stage.base in stages() else []
    return inherited + [line.split(None, 1)[1] for line in stage.lines if line.split()[0] == keyword]
