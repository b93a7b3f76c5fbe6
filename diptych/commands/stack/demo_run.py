"""The demo that `make demo` runs: start a stack, generate on both targets, compare."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from types import FrameType
from typing import Final

import click
from rich.console import Console as Terminal

from diptych.commands.stack.program import program
from local.errors import StackError
from local.folder import is_running
from local.options import Broker, StackOptions, default_slots
from local.stack import Stack, running
from model.registry import Registry
from pipeline.config.run_file import RUN_FOLDER, RunFile, find_run_file, run_file_path
from pipeline.config.settings import Settings, load_settings
from producer.open_publisher import open_publisher
from producer.submit import JobRequest, draft_job, submit
from producer.text import counted, listed
from producer.watch import Bars, Display, PlainLines, follow
from results.comparison.compare import compare_job
from results.comparison.table import comparison_table
from results.documents import Manifest
from results.imaging.contact_sheet import contact_sheet
from results.job_state import JobState, JobStatus
from results.naming import job_prefix, target_prefix
from results.stores.base import Store, local_folder
from results.stores.open import open_store
from results.targets import PUSHED_TARGETS

SERVICES: Final = {
    "celery": "broker, container, function and their deliverers",
    "pubsub": "Pub/Sub emulator, storage server, container and function",
}
IMAGES_PER_TASK: Final = 4
"""Few, so that each target gets a cold task and warm ones."""
POLL_S: Final = 0.1
PLAIN_EVERY_S: Final = 1.0
LOG_TAIL: Final = 15


class Demo:
    """One run of the demonstration.

    Args:
        folder: the folder that contains `.diptych`.
        broker: kind of broker.
        count: images per target.
        model: registered name.
        seed: seed of the job.
    """

    def __init__(self, folder: Path, *, broker: Broker, count: int, model: str, seed: int) -> None:
        self._folder = folder
        self._broker = broker
        self._request = JobRequest(
            model=model, count=count, targets=PUSHED_TARGETS, seed=seed, images_per_task=IMAGES_PER_TASK
        )
        self._terminal = Terminal()
        self._stop_signal = 0
        """The signal received; 0: none."""

    def run(self) -> None:
        """Run it; prints as it goes.

        Raises:
            StackError: the stack did not start or stopped early, or images are missing at the end.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._signalled)
        started = time.monotonic()
        with ExitStack() as held:
            stack = self._enter_stack(held)
            run_file = self._run_file()
            # Use this folder's stack, whatever the environment says.
            settings = load_settings(store_url=run_file.store_url, broker_url=run_file.broker_url)
            store = open_store(settings.require_store_url())
            click.echo(f"stack ready after {time.monotonic() - started:.1f} s")
            manifest = self._submit(settings, store)
            state = self._follow(store, manifest, stack)
            if state.status is not JobStatus.SUCCEEDED:
                raise self._failure(f"job {manifest.job_id} ended {state.status}")
            self._show(store, manifest, run_file)
            self._stop_if_signalled()
        left = "nothing is left running" if stack else "the stack keeps running"
        click.echo(f"done in {time.monotonic() - started:.1f} s; {left}")

    def _enter_stack(self, held: ExitStack) -> Stack | None:
        """Start a stack that stops with `held`, unless one is running in this folder."""
        if is_running(self._folder):
            click.echo("a stack is running in this folder: the demo uses it")
            return None
        click.echo(f"starting {SERVICES[self._broker]} …")
        slots = default_slots()
        options = StackOptions(self._folder, self._broker, container_slots=slots, function_slots=slots)
        try:
            return held.enter_context(running(options))
        except StackError as error:
            raise self._failure(str(error)) from error

    def _run_file(self) -> RunFile:
        run_file = find_run_file(self._folder)
        if run_file is None:
            raise StackError(f"{run_file_path(self._folder)} is missing: start the demo again")
        return run_file

    def _submit(self, settings: Settings, store: Store) -> Manifest:
        draft = draft_job(self._request, Registry(settings.model_dir))
        with closing(open_publisher(settings)) as publisher:
            manifest = submit(store, publisher, draft).manifest
        click.echo(
            f"job {manifest.job_id}: {manifest.count} images of {manifest.model}, seed {manifest.seed},"
            f" {counted(manifest.task_count, 'task')} for each of {listed(manifest.targets)}\n"
        )
        return manifest

    def _follow(self, store: Store, manifest: Manifest, stack: Stack | None) -> JobState:
        state = JobState(store, manifest)
        with self._display() as display:
            for seen in follow(state, poll_s=POLL_S):
                self._stop_if_signalled()
                display.show(seen)
                if stack and stack.ended.is_set():
                    raise self._failure("the stack stopped before the job ended")
        return state

    def _display(self) -> Display:
        if self._terminal.is_terminal:
            return Bars()
        return PlainLines(click.echo, _progress_line, every_s=PLAIN_EVERY_S)

    def _show(self, store: Store, manifest: Manifest, run_file: RunFile) -> None:
        """Print the comparison and the paths of the results."""
        click.echo()
        self._terminal.print(comparison_table(compare_job(store, manifest.job_id)))
        sheet = self._folder / RUN_FOLDER / f"{manifest.job_id}.png"
        sheet.write_bytes(contact_sheet(store, manifest.job_id))
        click.echo(f"\ncontact sheet  {_short(sheet)}")
        for target in manifest.targets:
            place = _place(run_file, target_prefix(manifest.job_id, target))
            click.echo(f"{target:<14} {place}images/*.png, records/*.json")
        click.echo(f"manifest       {_place(run_file, job_prefix(manifest.job_id))}job.json")
        show, up = f"{program()} results show {manifest.job_id}", f"{program()} up   # keeps a stack running"
        lines = [show, up]
        if run_file.store_folder:
            # Its storage server stops with the stack.
            lines = [f"{program()} up --broker pubsub   # keeps a stack running", show]
        for label, line in zip(("next", ""), lines, strict=True):
            click.echo(f"{label:<14} {line}")
        click.echo()

    def _signalled(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the handler's signature)
        """SIGINT, SIGTERM: exit through every `finally`, so that the stack stops.

        The signal is recorded as well: Python prints and drops an exception that is raised while a destructor
        or a weakref callback runs (e.g. at the end of an import).
        """
        self._stop_signal = number
        self._stop_if_signalled()

    def _stop_if_signalled(self) -> None:
        if self._stop_signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self._stop_signal:
            sys.exit(128 + self._stop_signal)

    def _failure(self, reason: str) -> StackError:
        """Print the end of the log and return an error."""
        log_file = self._folder / RUN_FOLDER / "stack.log"
        try:
            tail = log_file.read_text(errors="replace").splitlines()[-LOG_TAIL:]
        except OSError:
            return StackError(reason)
        click.echo("\n".join(f"  {line}" for line in tail), err=True)
        return StackError(f"{reason}; see the whole log in {_short(log_file)}")


def _progress_line(state: JobState) -> str:
    counts = {target: part.counts() for target, part in state.targets.items()}
    return ", ".join(f"{target} {count.images_done}/{count.images}" for target, count in counts.items())


def _place(run_file: RunFile, name: str) -> str:
    """The location of objects: a path for local files, else a URL."""
    url = run_file.store_url
    if run_file.store_folder:
        return f"{_short(Path(run_file.store_folder) / name)}/"
    if folder := local_folder(open_store(url)):
        return f"{_short(folder / name)}/"
    return f"{url.partition('?')[0].rstrip('/')}/{name}"


def _short(path: Path) -> str:
    """Relative to the current folder if it is inside."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
