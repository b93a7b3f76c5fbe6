"""One command line: to be shown as a user would type it, and to be run."""

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
"""Ours, by its full name: a shell's own `python` may not have our packages."""
WIDTH: Final = 100
"""A longer command is shown with one flag a line."""

Variables = Mapping[str, str]
"""What is only known once earlier commands have run, such as the project's number, by name."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command line.

    Args:
        words: the program and its arguments; `${NAME}` stands for a variable.
        group_words: how many of them say what the command is: 4 of "gcloud pubsub topics create NAME".
    """

    words: tuple[str, ...]
    group_words: int = 1

    @property
    def name(self) -> str:
        """What the command is, without its arguments."""
        return " ".join(self.words[: self.group_words])

    def adding(self, *words: str) -> Command:
        """The command with more words at its end."""
        return replace(self, words=(*self.words, *words))

    def filled(self, variables: Variables) -> list[str]:
        """The words with every variable's value. Raises KeyError for one that is not known."""
        return [_VARIABLE.sub(lambda match: variables[match[1]], word) for word in self.words]

    def shell(self, variables: Variables | None = None) -> str:
        """The command for a POSIX shell.

        Args:
            variables: values to show in place of variables; None leaves them to the shell.
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
    """A gcloud command.

    Args:
        group: the command's own words: "pubsub topics create".
        words: its arguments.
    """
    name = ("gcloud", *group.split())
    return Command((*name, *words), len(name))


def _quoted(word: str) -> str:
    if not _VARIABLE.search(word):
        return shlex.quote(word)
    # In double quotes the shell fills the variable in, and nothing else.
    escaped = _SPECIAL.sub(r"\\\1", word)
    return f'"{escaped}"'
