"""The stack's one terminal: every line with the name of who wrote it; the same, uncoloured, in a log file."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

from honcho.colour import get_colours
from honcho.printer import Message, Printer

from local.service import Line

OWN_NAME: Final = "diptych"
TAIL_LINES: Final = 12

# The workers' text logs begin with the time, which every line has here already.
_OWN_TIME: Final = re.compile(r"\d\d:\d\d:\d\d ")


class Console:
    """Prints lines of services and notes of the supervisor.

    Args:
        log_file: where all lines go too.
        terminal: where they are shown; None: only the log file.
    """

    def __init__(self, log_file: Path, terminal: TextIO | None) -> None:
        self.log_file = log_file
        self.lost = False
        """True once the terminal (or what the output was piped to) has gone."""
        self._colours: dict[str, str | None] = {OWN_NAME: None}
        self._palette = get_colours()
        self._tails: dict[str, deque[str]] = {}
        log_file.touch(mode=0o600)
        log_file.chmod(0o600)  # what services say may be private: a prompt, the address of a store
        self._file = log_file.open("w", encoding="utf-8")
        self._printers = [Printer(self._file, colour=False)]
        if terminal is not None:
            self._printers.append(Printer(terminal, colour="NO_COLOR" not in os.environ))

    def expect(self, names: Sequence[str]) -> None:
        """Say who will write, so that columns line up and colours stay."""
        for name in names:
            self._colours.setdefault(name, next(self._palette))
        for printer in self._printers:
            printer.width = max(len(name) for name in self._colours)

    def line(self, line: Line) -> None:
        """Show a line of a service."""
        text = _OWN_TIME.sub("", line.text, count=1) if _OWN_TIME.match(line.text) else line.text
        self._tails.setdefault(line.name, deque(maxlen=TAIL_LINES)).append(text)
        self._write(line.name, text, line.at)

    def note(self, text: str) -> None:
        """Show a line of the supervisor's own."""
        self._write(OWN_NAME, text, datetime.now())

    def tail(self, name: str) -> list[str]:
        """The last lines of a service."""
        return [*self._tails.get(name, ())]

    def close(self) -> None:
        """End the log file."""
        with suppress(OSError):
            self._file.close()

    def _write(self, name: str, text: str, at: datetime) -> None:
        message = Message(type="line", data=text or " ", time=at, name=name, colour=self._colours.get(name))
        for printer in [*self._printers]:
            try:
                printer.write(message)
            except (OSError, ValueError):
                self._forget(printer)

    def _forget(self, printer: Any) -> None:
        """Nothing can be written there any more: a full disk, or a reader (`| head`) that has gone."""
        self._printers.remove(printer)
        self.lost = self.lost or printer.output is not self._file
