"""Starts the services in order, keeps them running, and ends them all.

honcho's own manager ends everything when one process ends; here a process that dies is started again.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Final

from local.console import OWN_NAME, Console
from local.errors import StackError
from local.orphan_reaper import OrphanReaper
from local.service import Child, Ended, Event, Line, Role, Service, Stop

READY_LIMIT_S: Final = 60.0
READY_POLL_S: Final = 0.05
STEADY_S: Final = 10.0
"""A process that lived this long did not crash at its start."""
MAX_FAST_CRASHES: Final = 5
RESTART_MIN_S: Final = 0.25
RESTART_MAX_S: Final = 5.0
IDLE_S: Final = 3600.0

WORKER_GRACE_S: Final = 15.0
"""Above DIPTYCH_DRAIN_S's default of 8 s, so that work in hand is finished or given back."""
DELIVERER_GRACE_S: Final = 4.0
KEEPER_GRACE_S: Final = 5.0
"""For the broker, and for the store after it."""


class Supervisor:
    """Runs services until it is told to stop.

    Args:
        stages: the services of a stage start together, once those of the stage before are ready.
        console: where their lines go.
        on_restart: called with the role of a service that died and was started again.
        on_spawn: called with the process id of each service that starts.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[Service]],
        console: Console,
        on_restart: Callable[[Role], None] = lambda _: None,
        on_spawn: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._stages = stages
        self._services = {service.name: service for stage in stages for service in stage}
        self._console = console
        self._on_restart, self._on_spawn = on_restart, on_spawn
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._children: dict[str, Child] = {}
        self._crashes: Counter[str] = Counter()
        self._restart_at: dict[str, float] = {}
        self._stops = 0
        self._orphan_reaper: OrphanReaper | None = None
        console.expect([*self._services])

    def run(self, on_ready: Callable[[], None]) -> None:
        """Start everything, call `on_ready`, keep everything running until `stop`, end everything.

        Raises:
            StackError: a service did not get ready, or crashes again and again. Nothing is left running.
        """
        self._orphan_reaper = OrphanReaper()
        try:
            for stage in self._stages:
                self._start(stage)
            if not self._stops:
                on_ready()
            self._keep()
        finally:
            self._end()
            self._orphan_reaper.close()

    def stop(self) -> None:
        """End the stack; once more: at once. May be called from any thread or signal handler."""
        self._events.put(Stop())

    def note(self, text: str) -> None:
        """Show a line of the stack's own. May be called from any thread."""
        self._events.put(Line(OWN_NAME, text, datetime.now()))

    def pid(self, name: str) -> int | None:
        """Process id of a service that is running now."""
        child = self._children.get(name)
        return child.pid if child else None

    def _start(self, stage: Sequence[Service]) -> None:
        """Start a stage and wait until it is ready."""
        for service in stage:
            if not self._stops:
                self._spawn(service)
        waiting = {service.name: service for service in stage}
        deadline = time.monotonic() + READY_LIMIT_S
        while waiting and not self._stops:
            ended = self._next_end(READY_POLL_S)
            if ended:
                raise StackError(
                    f"the {ended.name} {_end_of(ended)} before it was ready{self._last_words(ended.name)}"
                )
            for name in [*waiting]:
                lack = waiting[name].ready(self._children[name].pid)
                if not lack:
                    del waiting[name]
                elif time.monotonic() > deadline:
                    raise StackError(f"the {name} is not ready after {READY_LIMIT_S:.0f} s: {lack}")

    def _keep(self) -> None:
        """Start again what dies, until somebody wants an end."""
        while not self._stops:
            next_at = min(self._restart_at.values(), default=time.monotonic() + IDLE_S)
            ended = self._next_end(max(0.0, next_at - time.monotonic()))
            if ended:
                self._plan_restart(ended)
            now = time.monotonic()
            for name in [name for name, at in self._restart_at.items() if at <= now]:
                del self._restart_at[name]
                self._spawn(self._services[name])
                self._on_restart(self._services[name].role)

    def _plan_restart(self, ended: Ended) -> None:
        name = ended.name
        if ended.lived_s > STEADY_S:
            self._crashes[name] = 0
        self._crashes[name] += 1
        if self._crashes[name] > MAX_FAST_CRASHES:
            raise StackError(
                f"the {name} {_end_of(ended)}, for the {self._crashes[name]}th time in a row"
                f"{self._last_words(name)}"
            )
        delay_s = min(RESTART_MIN_S * 2 ** (self._crashes[name] - 1), RESTART_MAX_S)
        self._restart_at[name] = time.monotonic() + delay_s
        self._console.note(f"the {name} {_end_of(ended)}; starting it again in {delay_s:g} s")

    def _spawn(self, service: Service) -> None:
        assert self._orphan_reaper is not None
        try:
            child = Child(service, self._events, self._orphan_reaper)
        except OSError as error:
            raise StackError(f"the {service.name} cannot be started: {error}") from error
        self._children[service.name] = child
        self._on_spawn(child.pid)
        self._console.note(f"{service.name} started (process {child.pid})")

    def _next_end(self, limit_s: float) -> Ended | None:
        """Show lines until a process ends, somebody wants to stop, or the time is over."""
        deadline = time.monotonic() + limit_s
        while True:
            try:
                event = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                return None
            if isinstance(event, Line):
                self._console.line(event)
                if self._console.lost and not self._stops:
                    self._stops = 1
                    return None
            elif isinstance(event, Stop):
                self._stops += 1
                return None
            else:
                del self._children[event.name]
                return event
            if time.monotonic() >= deadline:
                return None

    def _end(self) -> None:
        """End in an order in which work in hand is given back; who keeps something ends last."""
        if self._children:
            self._console.note("ending; Ctrl-C again to end at once")
        self._signal(signal.SIGTERM, Role.WORKER, Role.DELIVERER)
        self._wait(WORKER_GRACE_S, Role.WORKER, Role.DELIVERER)
        self._kill(Role.WORKER)
        self._wait(DELIVERER_GRACE_S, Role.WORKER, Role.DELIVERER)
        self._kill(Role.DELIVERER)
        for keeper in (Role.BROKER, Role.STORE):
            self._signal(signal.SIGTERM, keeper)
            self._wait(KEEPER_GRACE_S, keeper)
        for child in [*self._children.values()]:
            child.kill()
        while self._children:
            self._next_end(1.0)
        self._console.note("ended")

    def _wait(self, limit_s: float, *roles: Role) -> None:
        """Wait until the processes of these roles have ended; not long if somebody is in a hurry."""
        deadline = time.monotonic() + limit_s
        while self._of(*roles) and time.monotonic() < deadline:
            if self._stops > 1 and Role.WORKER in roles:
                return
            self._next_end(max(0.0, deadline - time.monotonic()))

    def _signal(self, number: signal.Signals, *roles: Role) -> None:
        for child in self._of(*roles):
            child.signal(number)

    def _kill(self, *roles: Role) -> None:
        for child in self._of(*roles):
            self._console.note(f"the {child.service.name} takes too long to end: killed")
            child.kill()

    def _of(self, *roles: Role) -> list[Child]:
        return [child for child in self._children.values() if child.service.role in roles]

    def _last_words(self, name: str) -> str:
        """What the process wrote last, which mostly says why it ended."""
        said = [line for line in self._console.tail(name) if line.strip()]
        return f": {said[-1]}" if said else f"; see {self._console.log_file}"


def _end_of(ended: Ended) -> str:
    if ended.returncode >= 0:
        return f"ended with exit code {ended.returncode}"
    try:
        return f"was ended by {signal.Signals(-ended.returncode).name}"
    except ValueError:
        return f"was ended by signal {-ended.returncode}"
