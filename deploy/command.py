"""A command line that can be printed for a shell or run."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

_VARIABLE: Final = re.compile(r"\$\{([A-Z_]+)\}")
_SPECIAL: Final = re.compile(r"([\\\"`]|\$(?!\{[A-Z_]+\}))")
PYTHON_PROGRAM: Final = sys.executable
"""Our interpreter by its full path: a shell's `python` may not have our packages."""
WIDTH: Final = 100
"""Longer commands are printed with one flag per line."""

Variables = Mapping[str, str]
"""Values known only once earlier commands have run, such as the project number, by name."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command line.

    Args:
        words: the program and its arguments; `${NAME}` stands for a variable.
        group_words: how many of them name the command: 4 of "gcloud pubsub topics create NAME".
    """

    words: tuple[str, ...]
    group_words: int = 1

    @property
    def name(self) -> str:
        """The name of the command, without its arguments."""
        return " ".join(self.words[: self.group_words])

    def adding(self, *words: str) -> Command:
        """The command with more words appended."""
        return replace(self, words=(*self.words, *words))

    def filled(self, variables: Variables) -> list[str]:
        """The words with variables replaced by their values. Raises KeyError for an unknown one."""
        return [_VARIABLE.sub(lambda match: variables[match[1]], word) for word in self.words]

    def shell(self, variables: Variables | None = None) -> str:
        """The command for a POSIX shell.

        Args:
            variables: values to substitute; None leaves variables to the shell.
        """
        if variables is None:
            words = [_quoted(word) for word in self.words]
        else:
            words = [shlex.quote(word) for word in self.filled(variables)]
        line = " ".join(words)
        if len(line) > WIDTH:
            flags = next((at for at, word in enumerate(self.words) if word.startswith("--")), len(words))
            return " \\\n    ".join([" ".join(words[:flags]), *words[flags:]])
        return line


def gcloud(group: str, *words: str) -> Command:
    """Build a gcloud command.

    Args:
        group: the name of the command: "pubsub topics create".
        words: its arguments.
    """
    name = ("gcloud", *group.split())
    return Command((*name, *words), len(name))


def _quoted(word: str) -> str:
    if not _VARIABLE.search(word):
        return shlex.quote(word)
    # Within double quotes the shell expands the variable, and nothing else.
    escaped = _SPECIAL.sub(r"\\\1", word)
    return f'"{escaped}"'
