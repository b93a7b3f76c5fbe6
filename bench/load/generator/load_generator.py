"""Sends requests when they are due and times them: libcurl's multi interface in one thread.

One thread: see `diptych bench ceiling`, which measures it beside threads. All clocks are monotonic.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pycurl

from bench.load.generator.sample import Phase, Sample, outcome_of
from bench.load.generator.schedule import LoadPlan, first_due
from bench.load.generator.transfer import Transfer

ERROR_PAUSE_S: Final = 1.0
"""A user pauses after no answer, or an error: a dead target would be hammered thousands of times a second."""
SHED_PAUSE_S: Final = 1.0
"""After a 429 or 503 that does not say when to come back."""
_SELECT_S: Final = 0.05
_SPIN_S: Final = 0.001
Body = Callable[[int, int], bytes]
"""Body of a task's attempt."""


@dataclass(order=True, slots=True)
class Order:
    """A request that is to be sent.

    Args:
        due_s: when.
        task: number of the task.
        scheduled_s: when the task was due at first.
        attempt: from 1.
    """

    due_s: float
    task: int
    scheduled_s: float = field(compare=False)
    attempt: int = field(compare=False, default=1)


@dataclass(slots=True)
class Account:
    """What became of a plan.

    Args:
        sent: requests.
        unsent: tasks that were due and never sent.
        unfinished: requests without an answer when the run ended, or tasks whose next attempt was due later.
        wall_s: how long it took.
        cpu_s: of this process meanwhile.
    """

    sent: int = 0
    unsent: int = 0
    unfinished: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0


class LoadGenerator:
    """Runs a plan at one URL.

    Args:
        url: where to.
        target: name of who answers there.
        plan: what to send.
        body: of each task's attempt.
        headers: of each request, asked anew each time: tokens expire.
        seen: called with each request when it has ended.
        origin: what points in time count from (time.perf_counter); None: the start of `run`.
        phase: of all requests; None: by the plan's warm-up.
        first_task: number of the first task.
    """

    def __init__(
        self,
        url: str,
        target: str,
        plan: LoadPlan,
        body: Body,
        seen: Callable[[Sample], None],
        *,
        headers: Callable[[], list[str]] = list,
        origin: float | None = None,
        phase: Phase | None = None,
        first_task: int = 0,
    ) -> None:
        self._url, self._target, self._plan = url, target, plan
        self._body, self._seen, self._headers = body, seen, headers
        self._phase = phase
        self._origin = time.perf_counter() if origin is None else origin
        self._start_s = 0.0
        self._task = first_task
        self._orders: list[Order] = []
        self._multi: Any = pycurl.CurlMulti()
        self._free: deque[tuple[float, Transfer]] = deque()  # the one that is free for longest first
        self._left_s = self._listened_s = self._unread_s = 0.0
        self._busy: dict[Any, tuple[Order, Transfer, float, float]] = {}
        self.account = Account()

    @property
    def next_task(self) -> int:
        """Number of the first task that was not used."""
        return self._task

    def run(self, *, limit: int | None = None) -> Account:
        """Send until the plan's time is over, then wait for the answers.

        Args:
            limit: most tasks, for a phase that is counted rather than timed.
        Raises:
            KeyboardInterrupt, DiskFull: in the middle; the account is right all the same.
        """
        began, cpu_s = time.perf_counter(), time.process_time()
        self._start_s = began - self._origin
        end_s = self._start_s + self._plan.duration_s
        self._open(limit)
        try:
            self._loop(end_s)
        finally:
            self._count_rest(min(end_s, self._now()))
            self.account.wall_s = time.perf_counter() - began
            self.account.cpu_s = time.process_time() - cpu_s
            self._close()
        return self.account

    def _open(self, limit: int | None) -> None:
        self._multi.setopt(pycurl.M_MAXCONNECTS, self._plan.in_flight)
        for offset in first_due(self._plan)[:limit]:
            due_s = self._start_s + float(offset)
            self._orders.append(Order(due_s, self._next_number(), due_s))
        heapq.heapify(self._orders)
        capacity = min(self._plan.in_flight, self._plan.users or self._plan.in_flight)
        self._free.extend((0.0, Transfer(self._url, self._plan.timeout_s)) for _ in range(capacity))
        self._closed_users = self._plan.users is not None and limit is None

    def _loop(self, end_s: float) -> None:
        self._left_s, self._listened_s = self._now(), 0.0
        while True:
            now = self._now()
            if now < end_s:
                self._send_due(now)
            elif not self._busy:
                break
            # Answers may have lain there for as long as nobody listened.
            self._unread_s = self._now() - self._left_s - self._listened_s
            _, running = self._multi.perform()
            self._left_s, self._listened_s = self._now(), 0.0
            self._harvest(end_s)
            if running or self._orders:
                self._wait(end_s)
            elif not self._busy:
                break

    def _count_rest(self, end_s: float) -> None:
        """What is left of the plan at its end, or where it was broken off."""
        self.account.unfinished += len(self._busy)
        for order in self._orders:
            if order.attempt > 1:
                self.account.unfinished += 1
            elif order.due_s < end_s:
                self.account.unsent += 1
        self._orders.clear()

    def _wait(self, end_s: float) -> None:
        """Until something comes, or is due."""
        now = self._now()
        pause_s = _SELECT_S
        if now < end_s:
            next_s = self._orders[0].due_s if self._orders and self._free else end_s
            pause_s = min(pause_s, max(0.0, next_s - now))
        # select may round up to the next millisecond: the last one is waited for awake.
        if pause_s <= _SPIN_S:
            return
        if self._busy:
            self._multi.select(pause_s - _SPIN_S)
        else:
            time.sleep(pause_s - _SPIN_S)
        waited_s = self._now() - now
        if waited_s > _SPIN_S:  # so nothing lay there when the waiting began
            self._left_s, self._listened_s = now, min(waited_s, pause_s)

    def _send_due(self, now: float) -> None:
        while self._orders and self._free and self._orders[0].due_s <= now:
            order = heapq.heappop(self._orders)
            free_s, transfer = self._free.popleft()
            transfer.prepare(self._body(order.task, order.attempt), self._headers())
            sent_s = self._now()
            self._busy[transfer.handle] = (order, transfer, sent_s, max(order.due_s, free_s))
            self._multi.add_handle(transfer.handle)
            self.account.sent += 1
            now = sent_s

    def _harvest(self, end_s: float) -> None:
        while True:
            pending, done, failed = self._multi.info_read()
            for handle in done:
                self._ended(handle, "", end_s)
            for handle, _, text in failed:
                self._ended(handle, text or "no answer", end_s)
            if not pending:
                return

    def _ended(self, handle: Any, error: str, end_s: float) -> None:
        order, transfer, sent_s, could_s = self._busy.pop(handle)
        times = transfer.times(error)
        self._multi.remove_handle(handle)
        sample = Sample(
            target=self._target,
            phase=self._phase_of(order),
            task=order.task,
            attempt=order.attempt,
            scheduled_s=order.scheduled_s,
            due_s=order.due_s,
            sent_s=sent_s,
            lag_s=max(0.0, sent_s - could_s, min(self._unread_s, times.response_s)),
            outcome="error" if error else outcome_of(times.status),
            **times.fields(),
        )
        self._free.append((sample.ended_s, transfer))
        self._continue(order, sample, end_s)
        self._seen(sample)

    def _continue(self, order: Order, sample: Sample, end_s: float) -> None:
        """What comes after an answer: the same task again, a user's next one, or nothing."""
        if sample.outcome == "shed":
            pause_s = SHED_PAUSE_S if sample.retry_after_s is None else sample.retry_after_s
            again = Order(sample.ended_s + pause_s, order.task, order.scheduled_s, order.attempt + 1)
            heapq.heappush(self._orders, again)
        elif self._closed_users:
            due_s = sample.ended_s + (ERROR_PAUSE_S if sample.outcome == "error" else 0.0)
            if due_s < end_s:
                heapq.heappush(self._orders, Order(due_s, self._next_number(), due_s))

    def _phase_of(self, order: Order) -> Phase:
        if self._phase:
            return self._phase
        return "warm-up" if order.scheduled_s - self._start_s < self._plan.warm_up_s else "measured"

    def _next_number(self) -> int:
        self._task += 1
        return self._task - 1

    def _now(self) -> float:
        return time.perf_counter() - self._origin

    def _close(self) -> None:
        for handle, (_, transfer, _, _) in self._busy.items():
            self._multi.remove_handle(handle)
            transfer.close()
        for _, transfer in self._free:
            transfer.close()
        self._multi.close()
