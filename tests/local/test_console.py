"""What the terminal and the log file show."""

from __future__ import annotations

import io
import os
from datetime import datetime
from pathlib import Path

import pytest

from local.console import Console
from local.service import Line

AT = datetime(2026, 11, 24, 12, 30, 5)


class Terminal(io.StringIO):
    """A terminal that takes colours."""

    def isatty(self) -> bool:
        return True


def test_lines_carry_time_and_name_in_columns(tmp_path: Path) -> None:
    terminal = io.StringIO()
    console = Console(tmp_path / "log", terminal)
    console.expect(["broker", "container"])
    console.line(Line("broker", "hello", AT))
    console.line(Line("container", "", AT))
    assert terminal.getvalue().splitlines() == ["12:30:05 broker    | hello", "12:30:05 container |  "]
    assert (tmp_path / "log").read_text() == terminal.getvalue()
    assert console.tail("broker") == ["hello"]


def test_a_time_that_a_worker_wrote_itself_is_not_shown_twice(tmp_path: Path) -> None:
    terminal = io.StringIO()
    console = Console(tmp_path / "log", terminal)
    console.line(Line("container", "12:30:04 WARNING: 12:30:04 is kept inside", AT))
    assert terminal.getvalue() == "12:30:05 container | WARNING: 12:30:04 is kept inside\n"


def test_colours_go_to_terminals_alone_and_can_be_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured, plain = Terminal(), Terminal()
    console = Console(tmp_path / "log", coloured)
    console.expect(["broker"])
    console.line(Line("broker", "hello", AT))
    assert "\033[" in coloured.getvalue()
    assert "\033[" not in (tmp_path / "log").read_text()
    monkeypatch.setenv("NO_COLOR", "1")
    refused = Console(tmp_path / "log", plain)
    refused.expect(["broker"])
    refused.line(Line("broker", "hello", AT))
    assert "\033[" not in plain.getvalue()


def test_a_reader_that_has_gone_is_noticed_and_the_log_goes_on(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as terminal:
        console = Console(tmp_path / "log", terminal)
        console.note("one")
        assert console.lost
        console.note("two")
        text = (tmp_path / "log").read_text()
        assert "one" in text
        assert "two" in text
        console.close()
        # What is left in the buffer of a broken pipe would be an error at its close.
        os.dup2(os.open(os.devnull, os.O_WRONLY), terminal.fileno())
