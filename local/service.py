"""A service of the stack, and the process that runs it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from queue import SimpleQueue

from honcho.process import Popen

from local.orphan_reaper import OrphanReaper


class Role(IntEnum):
    """What a service is for. They end in this order: who works, brings work, keeps work, keeps results."""

    WORKER = 0
    DELIVERER = 1
    BROKER = 2
    STORE = 3


@dataclass(frozen=True, slots=True)
class Service:
    """What to run.

    Args:
        name: prefix of its log lines.
        role: when it ends.
        argv: command line.
        ready: given the process id, returns "" when the service can be used, else what it lacks; raises
            StackError if it never will.
        env: its environment, on top of ours.
        unset: variables of our environment that it must not see.
        cwd: its working folder.
        noise: lines with one of these in them are not shown.
    """

    name: str
    role: Role
    argv: tuple[str, ...]
    ready: Callable[[int], str]
    env: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    cwd: Path | None = None
    noise: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A process wrote a line."""

    name: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """A process ended by itself or was ended."""

    name: str
    pid: int
    returncode: int
    lived_s: float


class Stop:
    """Somebody wants the stack to end; once more: faster."""


Event = Line | Ended | Stop


class Child:
    """A running process of a service, leader of a session and process group of its own.

    Args:
        service: what to run.
        events: where its lines and its end are reported.
        orphan reaper: told of its group.
    """

    def __init__(self, service: Service, events: SimpleQueue[Event], orphan_reaper: OrphanReaper) -> None:
        self.service = service
        self._events = events
        self._orphan_reaper = orphan_reaper
        self._started = time.monotonic()
        env = {name: value for name, value in os.environ.items() if name not in service.unset}
        # honcho's Popen: one pipe for stdout and stderr, and a session of its own, so that Ctrl-C in the
        # terminal reaches the supervisor alone.
        self._process = Popen(list(service.argv), shell=False, env={**env, **service.env}, cwd=service.cwd)
        self.pid: int = self._process.pid
        orphan_reaper.guard(self.pid)
        self._reader = threading.Thread(target=self._read, name=f"{service.name} output", daemon=True)
        self._waiter = threading.Thread(target=self._wait, name=f"{service.name} end", daemon=True)
        self._reader.start()
        self._waiter.start()

    def signal(self, number: signal.Signals) -> None:
        """Signal the main process alone: it tells its own children what to do."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL the process and all that it has started."""
        kill_group(self.pid)

    def _read(self) -> None:
        for line in iter(self._process.stdout.readline, b""):
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not any(noise in text for noise in self.service.noise):
                self._events.put(Line(self.service.name, text, datetime.now()))
        self._process.stdout.close()

    def _wait(self) -> None:
        returncode = self._process.wait()
        # What it forked may outlive it, hold its port, and keep the pipe open.
        kill_group(self.pid)
        self._orphan_reaper.release(self.pid)
        self._reader.join()
        self._events.put(Ended(self.service.name, self.pid, returncode, time.monotonic() - self._started))


def kill_group(group: int) -> None:
    """SIGKILL a process group, if there is anything left of it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
