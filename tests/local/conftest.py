"""Starts stacks for tests and makes sure that they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.servers.up_process import ANY_PORTS, StackProcess

Start = Callable[..., StackProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a `diptych` command in the test's folder."""
    started: list[StackProcess] = []

    def run(*arguments: str, folder: Path = tmp_path, **settings: str) -> StackProcess:
        started.append(StackProcess(folder, *arguments, **settings))
        return started[-1]

    yield run
    for one in started:
        one.kill()


@pytest.fixture
def up(start: Start) -> StackProcess:
    """A stack on free ports that is ready."""
    stack = start("up", *ANY_PORTS)
    stack.wait_ready()
    return stack
