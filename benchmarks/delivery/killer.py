"""Kills processes of a stack, at random but repeatable moments of a job."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import psutil

from local.stack import Stack

VICTIMS: Final = (
    "container",
    "container image generator",
    "function",
    "function image generator",
    "to-container",
    "to-function",
    "broker",
)
"""Services, and the forked processes that generate: their main process must replace those by itself."""
PUBSUB_VICTIMS: Final = (*VICTIMS[:4], "pubsub")
"""Those of a stack on the emulator."""
_LATEST_SHARE: Final = 0.8
_MAX_PAUSE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill -9.

    Args:
        victim: one of VICTIMS.
        after_tasks: it comes once so many tasks are recorded,
        pause_s: and so much later, so that it does not only hit the moment after a commit.
    """

    victim: str
    after_tasks: int
    pause_s: float


def plan_kills(victims: Sequence[str], tasks: int, seed: int) -> list[Kill]:
    """Spread one kill of each victim at random over the first part of a job, in random order.

    Args:
        victims: whom; twice the same name for two kills.
        tasks: how many the job has, over all targets.
        seed: equal seeds give equal plans.
    """
    random = Random(seed)
    order = random.sample(list(victims), len(victims))
    moments = sorted(random.randrange(1, max(2, int(tasks * _LATEST_SHARE))) for _ in order)
    return [
        Kill(victim, moment, random.uniform(0.0, _MAX_PAUSE_S))
        for victim, moment in zip(order, moments, strict=True)
    ]


class Killer:
    """Carries a plan out while a job is followed.

    Args:
        stack: whose processes.
        plan: in the order of the moments.
    """

    def __init__(self, stack: Stack, plan: Sequence[Kill]) -> None:
        self._stack = stack
        self._left = [*plan]
        self.done: list[Kill] = []

    def seen(self, tasks_recorded: int) -> None:
        """Kill who is due. A victim that is just being started again is due at the next look."""
        while self._left and tasks_recorded >= self._left[0].after_tasks:
            pid = victim_pid(self._stack, self._left[0].victim)
            if pid is None:
                return
            kill = self._left.pop(0)
            time.sleep(kill.pause_s)
            os.kill(pid, signal.SIGKILL)
            self.done.append(kill)


def victim_pid(stack: Stack, victim: str) -> int | None:
    """The process id of one of VICTIMS; None while it is being started again."""
    service, _, image_generator = victim.partition(" ")
    pid = stack.pid(service)
    if pid is None or not image_generator:
        return pid
    try:
        children = psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return None
    return children[0].pid if children else None
