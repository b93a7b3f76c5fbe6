"""Does a running stack every harm that one machine can do, at random moments, and ends each after a while."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, Final

import psutil
import redis

from benchmarks.delivery.garbage import all_garbage
from benchmarks.delivery.killer import VICTIMS, victim_pid
from local.stack import Stack
from pipeline.config.celery_settings import queue_name
from results.targets import PUSHED_TARGETS

GARBAGE: Final = 12
"""Messages at a time."""
LONGEST_S: Final = 20.0
"""Most that a process stands still or a disk is full, as a rule,"""
LONG_S: Final = 140.0
"""and now and then: so long that `status` must have said why."""
CLOCK_STEPS_S: Final = (-3600, -90, -5, 5, 90, 3600)
_LIBRARY: Final = "*/faketime/libfaketimeMT.so.1"
_SOUND: Final = b'{"body"'
_POLL_S: Final = 0.05
_AGAIN_S: Final = 0.5
_DISK: Final = ("size=6g", "mode=700")


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """Mount a file system in memory that can be made full or read-only; None where that is not allowed."""
    folder.mkdir()
    mount = shutil.which("mount")
    argv = [str(mount), "-t", "tmpfs", "-o", ",".join(_DISK), "diptych-soak", str(folder)]
    if not mount or subprocess.run(argv, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Clock:
    """The clock of the workers and deliverers, which libfaketime (Debian: `faketime`) steps.

    Args:
        folder: where the file lies that says how far.
        library: libfaketimeMT.so.1; None: Debian's, if it is installed.
    """

    def __init__(self, folder: Path, library: Path | None = None) -> None:
        found = library or next(Path("/usr/lib").glob(_LIBRARY), None)
        self._file = folder / "clock"
        self.step(0)
        self.environment = self._variables(found) if found else {}
        """What a process must see to have this clock; nothing where there is none."""
        self.lack = "" if found else "no libfaketime: Debian's package `faketime`"
        # Under libfaketime 0.9.10 Python's time.sleep fails.
        probe = [sys.executable, "-c", "import time; time.sleep(0.01)"]
        if subprocess.run(
            probe, env=os.environ | self.environment, capture_output=True, check=False
        ).returncode:
            self.environment, self.lack = {}, f"Python cannot sleep under {found}: take a later libfaketime"

    def _variables(self, library: Path) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            # Only the time of day is stepped; shared memory would be left behind by what is killed.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "FAKETIME_DISABLE_SHM": "1",
        }

    def step(self, offset_s: int) -> None:
        """Set the clock so far beside the machine's."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+d}\n")
        new.replace(self._file)


class FaultInjector:
    """Strikes a stack again and again; kinds come in rounds, in random order.

    Args:
        stack: a running one.
        disk: what `small_disk` mounted; the stack's store is there.
        clock: the services'.
        seed: of kinds, victims and moments.
        pause_s: between two strikes, on average.
        long_share: share of what lasts that lasts long.
    """

    def __init__(
        self,
        stack: Stack,
        disk: Path | None,
        clock: Clock,
        *,
        seed: int,
        pause_s: float,
        long_share: float,
    ) -> None:
        self._stack, self._disk, self._clock = stack, disk, clock
        self._random, self._pause_s, self._long_share = Random(seed), pause_s, long_share
        self._sound: dict[str, Any] = {}
        self._ends: list[tuple[float, Callable[[], object]]] = []
        self._kinds: dict[str, Callable[[], bool]] = {
            "connections cut": self._cut,
            "process frozen": self._freeze,
            "process killed": lambda: self._kill(self._random.choice(VICTIMS)),
            "worker and deliverer killed": self._kill_pair,
            "broker killed": lambda: self._kill("broker"),
            "FLUSHALL": self._flush,
            "garbage queued": self._push_garbage,
        }
        self.skipped: list[str] = []
        if disk:
            self._kinds |= {"disk full": self._fill_disk, "store read-only": self._protect_disk}
        else:
            if hasattr(resource, "prlimit"):  # Linux
                self._kinds["no room for a file"] = self._limit_files
            self.skipped.append("disk full and store read-only (only root can mount a small disk)")
        if clock.lack:
            self.skipped.append(f"clock stepped ({clock.lack})")
        else:
            self._kinds["clock stepped"] = self._step_clock
        self.done = Counter(dict.fromkeys(self._kinds, 0))

    def run(self, stop: threading.Event) -> None:
        """Strike until told to stop and every kind has come once; then end what still lasts."""
        round_: list[str] = []
        due_at = 0.0
        try:
            while not self._stack.ended.is_set() and not (stop.is_set() and min(self.done.values())):
                time.sleep(_POLL_S)
                self._end_those_due(time.monotonic())
                if time.monotonic() < due_at:
                    continue
                round_ = round_ or self._random.sample([*self._kinds], len(self._kinds))
                if self._strike(round_[-1]):
                    self.done[round_.pop()] += 1
                    due_at = time.monotonic() + self._random.expovariate(1 / self._pause_s)
                else:  # the victim is just being started again, say
                    self._random.shuffle(round_)
                    due_at = time.monotonic() + _AGAIN_S
        finally:
            self._end_those_due(float("inf"))

    def _strike(self, kind: str) -> bool:
        with suppress(psutil.Error, ProcessLookupError, redis.RedisError):
            return self._kinds[kind]()
        return False

    def _end_those_due(self, now: float) -> None:
        for entry in [entry for entry in self._ends if entry[0] <= now]:
            self._ends.remove(entry)
            with suppress(psutil.Error, ProcessLookupError):
                entry[1]()

    def _later(self, end: Callable[[], object]) -> bool:
        """Have something ended in a while."""
        is_long = self._random.random() < self._long_share
        lasts_s = LONG_S if is_long else self._random.uniform(0.5, LONGEST_S)
        self._ends.append((time.monotonic() + lasts_s, end))
        return True

    def _kill(self, *victims: str) -> bool:
        pids = [pid for victim in victims if (pid := victim_pid(self._stack, victim))]
        if len(pids) < len(victims):
            return False
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return True

    def _kill_pair(self) -> bool:
        target = self._random.choice(PUSHED_TARGETS)
        return self._kill(target, f"to-{target}")

    def _freeze(self) -> bool:
        pid = victim_pid(self._stack, self._random.choice(VICTIMS))
        if pid is None:
            return False
        process = psutil.Process(pid)  # remembers the start: another of the same number is not touched
        process.suspend()
        return self._later(process.resume)

    def _broker(self) -> redis.Redis:
        return redis.Redis.from_url(self._stack.addresses.broker_url, socket_timeout=1.0, retry=None)

    def _cut(self) -> bool:
        """Every connection, or one."""
        with self._broker() as broker:
            clients: Any = [client for client in broker.client_list() if client["name"]]
            if not clients:
                return False
            for client in clients if self._random.random() < 0.5 else [self._random.choice(clients)]:
                broker.client_kill_filter(_id=client["id"])
        return True

    def _flush(self) -> bool:
        with self._broker() as broker:
            broker.flushall()
        return True

    def _push_garbage(self) -> bool:
        """What no message is like, and spoiled copies of one that waits, or has."""
        queue = queue_name(self._random.choice(PUSHED_TARGETS))
        with self._broker() as broker:
            waiting: Any = broker.lrange(queue, 0, 0)
            if waiting and waiting[0].startswith(_SOUND):
                self._sound = json.loads(waiting[0])
            if self._sound:
                broker.rpush(queue, *self._random.sample([*all_garbage(self._sound)], GARBAGE))
        return bool(self._sound)

    def _remount(self, option: str) -> bool:
        argv = ["mount", "-o", f"remount,{option}", str(self._disk)]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    def _fill_disk(self) -> bool:
        assert self._disk
        used = shutil.disk_usage(self._disk).used
        return self._remount(f"size={used}") and self._later(lambda: self._remount(_DISK[0]))

    def _protect_disk(self) -> bool:
        """Not at a moment when somebody writes: the system refuses."""
        return any(self._remount("ro") for _ in range(100)) and self._later(lambda: self._remount("rw"))

    def _limit_files(self) -> bool:
        """The nearest to a full disk without a disk: one image generator cannot write a byte."""
        pid = victim_pid(self._stack, f"{self._random.choice(PUSHED_TARGETS)} image generator")
        if pid is None:
            return False
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, limits[1]))
        return self._later(lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, limits))

    def _step_clock(self) -> bool:
        self._clock.step(self._random.choice(CLOCK_STEPS_S))
        return True
