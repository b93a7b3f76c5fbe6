"""The stack on one machine, from the taking of its folder to the end of its last process."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from local.backend import open_backend
from local.console import Console
from local.folder import StackFolder
from local.lost_task_monitor import LostTaskMonitor
from local.options import StackOptions
from local.service import Role
from local.services import Layout, page
from local.supervisor import Supervisor
from pipeline.config.run_file import RunFile
from pipeline.config.settings import load_settings
from pipeline.protocol.clock import rfc3339, utc_now

_CONTROL_SOCKET: Final = "gunicorn.ctl"
_MAX_SOCKET_BYTES: Final = 100  # macOS takes 103, Linux 107


class Stack:
    """A stack that has its folder and its ports, and can be run once.

    Args:
        options: what to start.
        terminal: where its lines are shown; None: only in its log file.
    Raises:
        StackError: another stack runs in the folder, a port is taken, the folder cannot be written, or
            something is not installed.
        SettingsError: the environment holds a bad setting.
        StoreError: the store cannot be written.
    """

    def __init__(self, options: StackOptions, terminal: TextIO | None) -> None:
        settings = load_settings(store_url=options.store_url or None)
        self.options = options
        self._folder = StackFolder(options.folder)
        self.log_file = self._folder.log_file
        try:
            self._backend = open_backend(options, settings, self._folder)
            self._console = Console(self.log_file, terminal)
        except BaseException:
            self._folder.close()
            raise
        self.store_url = self._backend.store_url
        self.store_folder = self._backend.store_folder
        """Where the store's objects lie as files if its server is one of this stack's own; else ""."""
        self.addresses = self._backend.addresses
        self._sockets = _socket_folder(self._folder.work)
        layout = Layout(
            options,
            settings,
            self.store_url,
            self.addresses,
            work_folder=self._folder.work,
            socket_folder=self._sockets,
            store_exists=True,
        )
        stages = self._backend.stages(layout)
        if options.page:
            stages.append([page(layout)])
        if self._folder.leftovers:
            self._console.note(f"ended {self._folder.leftovers} services that an earlier stack had left")
        self._supervisor = Supervisor(
            stages, self._console, on_restart=self._restarted, on_spawn=self._folder.note_service
        )
        self._lost_task_monitor = LostTaskMonitor(
            self._backend.recover,
            self._supervisor.note,
            self._backend.recovery_delay_s,
            self._backend.recovery_every_s,
        )
        self.ended = threading.Event()
        """Set once nothing of it is left."""

    def run(self, on_ready: Callable[[], None]) -> None:
        """Run until `stop`; call `on_ready` once everything can be used.

        Raises:
            StackError: a service does not start, or crashes again and again. Nothing is left running.
        """

        def ready() -> None:
            self._folder.write_run_file(self._run_file())
            self._lost_task_monitor.request()  # the stack before this one may have lost tasks
            on_ready()

        try:
            self._supervisor.run(ready)
        finally:
            self._lost_task_monitor.close()
            self._console.close()
            if self._sockets != self._folder.work:
                shutil.rmtree(self._sockets, ignore_errors=True)
            self._folder.close()
            self.ended.set()

    def stop(self) -> None:
        """End it; called again: at once. For any thread or signal handler."""
        self._supervisor.stop()

    def pid(self, service: str) -> int | None:
        """Process id of a service that is running now."""
        return self._supervisor.pid(service)

    def _restarted(self, role: Role) -> None:
        if role in self._backend.losers:  # a delivery to a dead worker fails, and comes again
            self._lost_task_monitor.request()

    def _run_file(self) -> RunFile:
        urls: dict[str, Any] = self.addresses.worker_urls()
        return RunFile(
            pid=os.getpid(),
            started_at=rfc3339(utc_now()),
            store_url=self.store_url,
            store_folder=self.store_folder,
            broker_url=self.addresses.broker_url,
            log_file=str(self.log_file),
            targets=self.options.targets,
            folder=str(self.options.folder.resolve()),
            **urls,
        )


def _socket_folder(work: Path) -> Path:
    """Where gunicorn inside functions-framework makes its control socket: a path of few bytes."""
    fits = len(os.fsencode(work / _CONTROL_SOCKET)) <= _MAX_SOCKET_BYTES
    return work if fits else Path(tempfile.mkdtemp(prefix="diptych-"))


@contextmanager
def running(options: StackOptions) -> Iterator[Stack]:
    """Run a stack in the background, its lines in its log file alone, and end it with the block.

    Raises:
        StackError: see Stack; also if it had to give up inside the block.
    """
    stack = Stack(options, terminal=None)
    ready = threading.Event()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            stack.run(ready.set)
        except BaseException as error:  # noqa: BLE001 (raised again by whoever waits)
            errors.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="stack")
    thread.start()
    try:
        ready.wait()
        if not errors:
            yield stack
    finally:
        _end(stack, thread)
    if errors:
        raise errors[0]


def _end(stack: Stack, thread: threading.Thread) -> None:
    """Wait for the end, hastened by each Ctrl-C meanwhile."""
    stack.stop()
    while thread.is_alive():
        try:
            thread.join(0.2)
        except KeyboardInterrupt:
            stack.stop()
