"""A progress bar on stderr, where someone watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Moves the bar on; `total` once it is known."""

    def __call__(self, count: int = 1, *, total: int | None = None) -> None: ...


@contextmanager
def progress_bar(description: str, *, total: int | None = None, shown: bool = True) -> Iterator[Advance]:
    """Show a bar while the block runs.

    Args:
        description: what is counted.
        total: how many there will be; None: not known yet.
        shown: False: no bar, also on a terminal.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = not shown or not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=hidden, transient=True) as progress:
        bar = progress.add_task(description, total=total)

        def advance(count: int = 1, *, total: int | None = None) -> None:
            progress.update(bar, advance=count, total=total)

        yield advance
