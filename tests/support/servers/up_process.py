"""`diptych up` and `diptych demo` as real processes, and what is left of them afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from pipeline.config.run_file import RunFile, find_run_file, run_file_path
from tests.support.waiting import LIMIT_S, wait_until

DIPTYCH = str(Path(sys.executable).parent / "diptych")
ANY_PORTS = ("--port-broker", "0", "--port-container", "0", "--port-function", "0", "--port-page", "0")


def environment(**settings: str) -> dict[str, str]:
    """Ours, without the settings of whoever runs the tests."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DIPTYCH_")}
    return {**ours, **settings}


class StackProcess:
    """A command that starts a stack.

    Args:
        folder: where it is started; its output goes to a file there.
        arguments: after `diptych`.
        settings: DIPTYCH_* variables.
    """

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self.folder = folder
        self.output = folder / "output.txt"
        self._family: dict[int, psutil.Process] = {}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [DIPTYCH, *arguments],
                cwd=folder,
                env=environment(**settings),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def text(self) -> str:
        """What it has printed."""
        return self.output.read_text()

    def wait_ready(self) -> RunFile:
        """Wait until the stack is ready."""
        wait_until(lambda: self._ended() or run_file_path(self.folder).exists(), "the stack's run file")
        assert not self._ended(), self.text()
        self.look()
        found = find_run_file(self.folder)
        assert found is not None
        return found

    def look(self) -> list[psutil.Process]:
        """The processes that it has started and that run now; all ever seen are remembered."""
        if not self._ended():
            for one in psutil.Process(self.process.pid).children(recursive=True):
                self._family[one.pid] = one
        return self.survivors()

    def survivors(self) -> list[psutil.Process]:
        """Those of the remembered processes that still run."""
        return [one for one in self._family.values() if runs(one)]

    def signal(self, number: signal.Signals) -> None:
        """Signal the command itself."""
        self.look()
        self.process.send_signal(number)

    def wait(self, limit_s: float = LIMIT_S) -> int:
        """Wait for its end; return its exit code."""
        return self.process.wait(limit_s)

    def kill(self) -> None:
        """End all of it, at the end of a test."""
        self.look()
        if not self._ended():
            self.process.kill()
            self.process.wait()
        for one in self.survivors():
            one.kill()

    def _ended(self) -> bool:
        return self.process.poll() is not None


def runs(process: psutil.Process) -> bool:
    """Whether a process lives; a zombie has ended, though its parent has not noticed yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
