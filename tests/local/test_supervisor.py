"""The supervisor with small services of a test's own."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import psutil
import pytest

from local import supervisor as module
from local.console import Console
from local.errors import StackError
from local.orphan_reaper import OrphanReaper
from local.service import Child, Ended, Event, Role, Service
from local.supervisor import Supervisor
from tests.support.servers.up_process import runs
from tests.support.waiting import LIMIT_S, wait_until


def service(name: str, code: str, *, role: Role = Role.WORKER, lack: str = "", **env: str) -> Service:
    """A service that runs some Python."""
    return Service(name, role, (sys.executable, "-u", "-c", code), ready=lambda _: lack, env=env)


SLEEPER = "import time; time.sleep(600)"


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """Writes to a log file alone."""
    console = Console(tmp_path / "stack.log", None)
    yield console
    console.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESTART_MIN_S", 0.01)
    monkeypatch.setattr(module, "READY_LIMIT_S", LIMIT_S)
    monkeypatch.setattr(module, "STEADY_S", LIMIT_S)


@contextmanager
def running(supervisor: Supervisor) -> Iterator[threading.Thread]:
    """Run a supervisor in the background until the block ends."""
    ready = threading.Event()
    thread = threading.Thread(target=supervisor.run, args=(ready.set,))
    thread.start()
    try:
        assert ready.wait(LIMIT_S)
        yield thread
    finally:
        supervisor.stop()
        thread.join(LIMIT_S)
        assert not thread.is_alive()


def test_stages_start_in_order_and_end_in_the_order_of_roles(console: Console, tmp_path: Path) -> None:
    note = (
        "import os, signal, sys, time\n"
        "def end(*_):\n    open(os.environ['PLACE'], 'a').write(os.environ['NAME'] + ' '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\nprint('up')\ntime.sleep(600)"
    )
    place = tmp_path / "ends"

    def noted(name: str, role: Role) -> Service:
        said = lambda _: "" if "up" in console.tail(name) else "it has not said so"  # noqa: E731
        argv = (sys.executable, "-u", "-c", note)
        return Service(name, role, argv, ready=said, env={"PLACE": str(place), "NAME": name})

    supervisor = Supervisor([[noted("store", Role.BROKER)], [noted("hand", Role.WORKER)]], console)
    with running(supervisor):
        assert supervisor.pid("hand")
    assert place.read_text() == "hand store "
    lines = [line.split("| ")[1] for line in console.log_file.read_text().splitlines()]
    assert [line.split(" ")[0] for line in lines if "started" in line] == ["store", "hand"]
    assert lines.index("up") < next(number for number, line in enumerate(lines) if line.startswith("hand"))


def test_what_dies_comes_back_without_what_it_had_started(console: Console) -> None:
    parent = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}])\n"
        "print('child', child.pid)\ntime.sleep(600)"
    )
    supervisor = Supervisor([[service("parent", parent)]], console)
    with running(supervisor):
        wait_until(lambda: console.tail("parent"), "the grandchild")
        first = supervisor.pid("parent")
        grandchild = psutil.Process(int(console.tail("parent")[0].split()[1]))
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: supervisor.pid("parent") not in (None, first), "the restart")
        wait_until(lambda: not runs(grandchild), "the end of the grandchild")
        wait_until(lambda: len(console.tail("parent")) == 2, "the next grandchild")
        second = psutil.Process(int(console.tail("parent")[1].split()[1]))
    assert not runs(second)
    assert "the parent was ended by SIGKILL; starting it again" in console.log_file.read_text()


def test_it_gives_up_on_what_crashes_again_and_again(console: Console) -> None:
    crash = "print('no luck'); raise SystemExit(3)"
    slow_crash = f"import time; time.sleep(0.3); {crash}"
    supervisor = Supervisor([[service("steady", SLEEPER), service("crash", slow_crash)]], console)
    with pytest.raises(StackError, match=r"the crash ended with exit code 3, .*6th time in a row: no luck"):
        supervisor.run(lambda: None)
    assert supervisor.pid("steady") is None


def test_a_service_that_ends_before_it_is_ready_is_an_error(console: Console) -> None:
    crash = "print('error: bad setting'); raise SystemExit(2)"
    supervisor = Supervisor([[service("early", crash, lack="not yet")]], console)
    with pytest.raises(
        StackError, match="the early ended with exit code 2 before it was ready: error: bad setting"
    ):
        supervisor.run(lambda: pytest.fail("it is not ready"))


def test_a_service_that_does_not_get_ready_is_an_error(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READY_LIMIT_S", 0.1)
    supervisor = Supervisor([[service("late", SLEEPER, lack="no answer on port 1")]], console)
    with pytest.raises(StackError, match=r"the late is not ready after 0 s: no answer on port 1"):
        supervisor.run(lambda: pytest.fail("it is not ready"))
    assert supervisor.pid("late") is None


def test_a_program_that_is_not_there_is_an_error(console: Console) -> None:
    missing = Service("missing", Role.WORKER, ("/no/such/program",), ready=lambda _: "")
    with pytest.raises(StackError, match="the missing cannot be started"):
        Supervisor([[missing]], console).run(lambda: None)


def test_a_second_stop_does_not_wait_for_the_deaf(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORKER_GRACE_S", 10 * LIMIT_S)
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); {SLEEPER}"
    supervisor = Supervisor([[service("deaf", deaf)]], console)
    with running(supervisor):
        wait_until(lambda: console.tail("deaf"), "its deafness")
        supervisor.stop()
        supervisor.stop()
    assert "the deaf takes too long to end: killed" in console.log_file.read_text()


def test_a_stop_during_the_start_ends_it(console: Console) -> None:
    supervisor = Supervisor([[service("late", SLEEPER, lack="not yet")]], console)
    supervisor.stop()
    supervisor.run(lambda: pytest.fail("it is not ready"))
    assert supervisor.pid("late") is None


def test_a_service_that_ends_after_its_orphan_reaper_is_told_without_a_traceback() -> None:
    orphan_reaper, events = OrphanReaper(), SimpleQueue[Event]()
    Child(service("short", SLEEPER), events, orphan_reaper)
    orphan_reaper.close()  # ends what is left
    ended = events.get(timeout=LIMIT_S)
    assert isinstance(ended, Ended)
