"""Starts a worker's process, asks it, pushes one task, ends it; all timed from outside."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from bench.cold.sample import ColdStart
from bench.load.generator.pushes import Pushes
from bench.runs.wall_clock import ahead_s, was_set
from local.addresses import Addresses
from local.options import StackOptions
from local.orphan_reaper import OrphanReaper
from local.ports import HOST, answers, choose_port
from local.service import Child, Ended, Event, Line
from local.services import UNSET, WORKERS, Layout
from pipeline.config.settings import Settings
from results.errors import ResultsError
from results.naming import image_name
from results.records import read_record
from results.stores.open import open_store
from results.targets import PUSHED_TARGETS, Target

POLL_S: Final = 0.005
GRACE_S: Final = 10.0
PROFILE: Final = {"PYTHONPROFILEIMPORTTIME": "1"}
_FIRST: Final = {"container": "/health/live", "function": "/"}


class StartFailed(Exception):
    """The worker ended, or did not answer in time; the text says which."""


class Starter:
    """Makes cold starts in a folder of its own; a context, that guards what it starts.

    Args:
        folder: a short path, empty; the caller removes it.
        settings: the user's own.
        timeout_s: limit of each step of a start.
    """

    def __init__(self, folder: Path, settings: Settings, timeout_s: float) -> None:
        self._work, store = folder / "work", folder / "store"
        for made in (self._work, store):
            made.mkdir()
        self._folder, self._settings, self._timeout_s = folder, settings, timeout_s
        self._store_url = store.as_uri()
        self._store = open_store(self._store_url)
        self._orphan_reaper = OrphanReaper()

    def __enter__(self) -> Starter:
        return self

    def __exit__(self, *_: object) -> None:
        self._orphan_reaper.close()

    def start(
        self, start: ColdStart, pushes: Pushes, log: Path, *, profiled: bool = False
    ) -> list[list[str]]:
        """Make one start.

        Args:
            start: filled in as it goes.
            pushes: of a new job.
            log: the worker's lines are added to it.
            profiled: let Python print each import's time, which slows it down a little.
        Returns:
            The worker's lines: until its first response, and after it.
        """
        start.interpreter_s = interpreter_s()
        port = choose_port(0, pushes.target, "--target")
        events: SimpleQueue[Event] = SimpleQueue()
        lines: list[list[str]] = [[]]
        ahead, spawned = ahead_s(), time.monotonic()
        try:
            with self._process(pushes.target, port, events, profiled=profiled):
                self._until_listening(port, spawned, events, lines)
                start.listen_s = time.monotonic() - spawned
                _request(port, "GET", _FIRST[pushes.target], b"", self._timeout_s)
                start.first_response_s = time.monotonic() - spawned
                _shutdown(events, lines)
                lines.append([])
                body = pushes.body(0, 1)
                start.sent_s = time.monotonic() - spawned
                start.status = _request(port, "POST", "/", body, self._timeout_s)
                start.response_s = time.monotonic() - spawned
            self._read(start, pushes, spawned, ahead)
        except (StartFailed, ResultsError) as error:
            start.error = str(error)
        finally:
            _shutdown(events, lines)
            with log.open("a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for part in lines for line in part)
        return lines

    @contextmanager
    def _process(
        self, target: Target, port: int, events: SimpleQueue[Event], *, profiled: bool
    ) -> Iterator[None]:
        options = StackOptions(
            self._folder, environment={"DIPTYCH_LOG_LEVEL": "WARNING", **(PROFILE if profiled else {})}
        )
        addresses = Addresses(dict.fromkeys(PUSHED_TARGETS, port))
        layout = Layout(
            *(options, self._settings, self._store_url, addresses),
            work_folder=self._work,
            socket_folder=self._work,
        )
        child = Child(WORKERS[target](layout), events, self._orphan_reaper)
        try:
            yield
        finally:
            child.signal(signal.SIGTERM)
            deadline = time.monotonic() + GRACE_S
            held: list[Event] = []
            while not any(isinstance(event, Ended) for event in held):
                if time.monotonic() > deadline:
                    child.kill()
                try:
                    held.append(events.get(timeout=0.1))
                except Empty:
                    continue
            for event in held:
                events.put(event)

    def _until_listening(
        self, port: int, spawned: float, events: SimpleQueue[Event], lines: list[list[str]]
    ) -> None:
        while not answers(port):
            ended = _shutdown(events, lines)
            if ended:
                events.put(ended)
                said = [line for line in lines[-1] if line.strip()]
                raise StartFailed(f"it ended before it listened: {said[-1] if said else 'it said nothing'}")
            if time.monotonic() - spawned > self._timeout_s:
                raise StartFailed(f"it does not listen after {self._timeout_s:g} s")
            time.sleep(POLL_S)

    def _read(self, start: ColdStart, pushes: Pushes, spawned: float, ahead: float) -> None:
        """What record and store tell; their clock is this machine's wall clock."""
        if not 200 <= start.status < 300:
            raise StartFailed(f"the push was answered with {start.status}")
        stored = read_record(self._store, pushes.job_id, pushes.target, 0)
        image = self._store.stat(image_name(pushes.job_id, pushes.target, 0))
        now_ahead = ahead_s()
        if was_set(ahead, now_ahead, time.monotonic() - spawned):
            raise StartFailed(f"the wall clock was set by {now_ahead - ahead:+.2f} s during the start")
        record, spawned_s = stored.record, spawned + ahead
        start.received_s = record.received_at.timestamp() - spawned_s
        start.png_s = image.created_at.timestamp() - spawned_s if image else None
        start.record_s = stored.created_at.timestamp() - spawned_s
        start.take_durations(record)
        start.outcome = "ok" if image else "error"


def interpreter_s() -> float:
    """From the start of a bare Python process to its first line, the environment's site-packages set up."""
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    # The system's monotonic clock is one for all processes, and nobody sets it.
    command = [sys.executable, "-c", "import time; print(time.monotonic())"]
    begun_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout) - begun_s


def _request(port: int, method: str, path: str, body: bytes, timeout_s: float) -> int:
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request(method, path, body or None, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, http.client.HTTPException) as error:
        raise StartFailed(f"{method} {path} was not answered: {error or type(error).__name__}") from error
    finally:
        connection.close()


def _shutdown(events: SimpleQueue[Event], lines: list[list[str]]) -> Ended | None:
    """Take what has come; the end of the process, if it is among it."""
    ended = None
    while True:
        try:
            event = events.get_nowait()
        except Empty:
            return ended
        if isinstance(event, Line):
            lines[-1].append(event.text)
        elif isinstance(event, Ended):
            ended = event
