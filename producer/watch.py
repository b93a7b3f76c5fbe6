"""Watch a job until it ends. Watching writes nothing, so it can be stopped and restarted at any time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from producer.job_view import IDLE_HINT_S, idle_s
from results.job_state import JobState

POLL_S: Final = 0.5
SCAN_SHARE: Final = 0.2
"""Maximum share of the time spent listing the store: a slow store is polled less often."""
PLAIN_EVERY_S: Final = 5.0
NARROW_COLUMNS: Final = 60
"""Terminal width below which there is no bar, only counts."""


class Display(Protocol):
    """Shows progress: as progress bars, or as plain lines."""

    def __enter__(self) -> Display:
        """Start."""
        ...

    def __exit__(self, *args: object) -> None:
        """Stop, and restore the terminal."""
        ...

    def show(self, state: JobState) -> None:
        """Show the state; called after every poll of the store."""
        ...


def follow(state: JobState, *, poll_s: float = POLL_S) -> Iterator[JobState]:
    """Yield the state after every poll of the store, until the job has ended.

    Args:
        state: refreshed in place.
        poll_s: minimum time between two polls.
    Raises:
        JobNotFound: the job was removed.
        StoreError, DocumentError: the store cannot be read.
    """
    while True:
        started = time.monotonic()
        state.require()
        state.refresh()
        yield state
        if state.status.ended:
            return
        took = time.monotonic() - started
        time.sleep(max(poll_s, took / SCAN_SHARE - took))


def watch(state: JobState, display: Display, *, poll_s: float = POLL_S) -> None:
    """Show a job's progress until it has ended; see `follow`."""
    with display:
        for seen in follow(state, poll_s=poll_s):
            display.show(seen)


class Bars:
    """A progress bar per target, with images per second and the remaining time."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console()
        name, note = TextColumn("{task.description:<10}"), TextColumn("{task.fields[note]}")
        # The counts come first: in a narrow terminal rich would shorten them to an ellipsis, bar and all.
        columns = (
            (name, MofNCompleteColumn(), note)
            if console.width < NARROW_COLUMNS
            else (
                name,
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]:>14}"),
                TimeRemainingColumn(compact=True, elapsed_when_finished=True),
                note,
            )
        )
        self._progress = Progress(*columns, console=console)
        self._bars: dict[str, int] = {}

    def __enter__(self) -> Bars:
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(self, *args: object) -> None:
        """Stop drawing; the bars stay on the screen."""
        self._progress.stop()

    def show(self, state: JobState) -> None:
        """See Display."""
        from rich.progress import TaskID

        for target, part in state.targets.items():
            counts = part.counts()
            if target not in self._bars:
                # Images that were done before watching started do not count for the rate.
                self._bars[target] = self._progress.add_task(
                    target, total=counts.images, completed=counts.images_done, rate="", note=""
                )
            lost = counts.failed + counts.dead
            note = f"tasks failed: {lost}" if lost else _idle_note(state)
            bar = TaskID(self._bars[target])
            self._progress.update(bar, completed=counts.images_done, note=note)
            speed = self._progress.tasks[self._bars[target]].speed
            self._progress.update(bar, rate=f"{speed:.1f} images/s" if speed else "")


def _idle_note(state: JobState) -> str:
    idle = idle_s(state)
    return f"no progress for {idle:.0f} s" if idle > IDLE_HINT_S and not state.status.ended else ""


class PlainLines:
    """A line at every change, at most one every few seconds: for logs and pipes.

    Args:
        write: prints a line.
        line_of: formats a state as a line.
        every_s: minimum time between two lines.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        line_of: Callable[[JobState], str],
        every_s: float = PLAIN_EVERY_S,
    ) -> None:
        self._write = write
        self._line_of = line_of
        self._every_s = every_s
        self._last_line = ""
        self._last_at = float("-inf")

    def __enter__(self) -> PlainLines:
        """Nothing to prepare."""
        return self

    def __exit__(self, *args: object) -> None:
        """Nothing to clean up."""

    def show(self, state: JobState) -> None:
        """See Display."""
        now = time.monotonic()
        if now - self._last_at < self._every_s and not state.status.ended:
            return
        line = self._line_of(state)
        if line != self._last_line:
            self._write(line)
            self._last_line, self._last_at = line, now
