"""Cold starts of deployed services.

Nobody outside can make Cloud Run end an instance. Two things make it start one: more requests at once than
it has instances (concurrency is 1), and requests after it has scaled to zero. So each repeat waits, then
sends a burst; the records say who started for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from bench.cloud.metrics import read_usage, window_of
from bench.cloud.targets import check_let_in, deployed_store, deployed_target
from bench.cold.local import ColdOptions, in_turn
from bench.cold.sample import ColdStart
from bench.cold.sender import Sender
from bench.cold.variants import CLOUD
from bench.load.generator.pushes import Pushes
from bench.runs.folder import RunFolder, run_name
from bench.runs.kinds import conclude
from bench.runs.read import StoredRun, read_run
from model.registry import Registry
from pipeline.config.settings import load_settings
from results.targets import Target

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class CloudColdOptions(ColdOptions):
    """Those of a run at deployed services.

    Args:
        urls: where they answer.
        store_url: where they write to.
        idle_s: before each repeat but the first: the services scale to zero meanwhile.
        burst: requests at once.
        owned: hosts that are the user's.
        account: a service account to act for; "": the user's own.
        project: whose Cloud Monitoring is read; "": none.
    """

    urls: dict[Target, str]
    store_url: str
    idle_s: float
    burst: int
    owned: tuple[str, ...] = ()
    account: str = ""
    project: str = ""


def run_cloud_cold(options: CloudColdOptions, tell: Tell) -> StoredRun:
    """Run it; Ctrl-C and a full disk end it early, with a labelled, partial result.

    Raises:
        BenchError: an address is refused, nobody answers or lets us in, the store cannot be read, or the
            folder cannot be written.
        ModelError: there is no such model.
    """
    run = _Run(options, tell)
    try:
        run.record()
    finally:
        run.conclude()
    return read_run(options.out)


class _Run:
    """One run: what its steps share."""

    def __init__(self, options: CloudColdOptions, tell: Tell) -> None:
        self._options, self._tell = options, tell
        store = deployed_store(options.store_url)
        model = Registry(load_settings().model_dir).get(options.model)
        job = run_name("cold")
        self._origin, self._started_s = time.perf_counter(), time.time()
        self._senders = {
            target: Sender(
                deployed_target(target, options.urls[target], options.owned, options.account),
                Pushes(job, model, target, 1, options.seed),
                store,
                self._origin,
                options.timeout_s,
            )
            for target in options.targets
        }
        configuration = {
            **asdict(options),
            **{"cloud": True, "job_id": job, "model_digest": model.digest, "images": 1},
        }
        self._folder = RunFolder.create(
            options.out, command=CLOUD.command, configuration=configuration, columns=CLOUD.columns
        )

    def record(self) -> None:
        """Wait and send, again and again."""
        options = self._options
        hours = (options.repeats - 1) * options.idle_s / 3600
        if hours > 0.1:
            self._tell(f"{options.repeats} repeats: about {hours:.1f} hours, most of them waiting")
        with self._folder.recording():
            for repeat, position, target in in_turn(options.repeats, options.targets):
                if repeat and not position:
                    self._wait()
                self._repeat(repeat, position, target)

    def conclude(self) -> None:
        """Write the figures and the report."""
        options, ended_s = self._options, self._started_s + time.perf_counter() - self._origin
        windows = {
            target: window_of(target, options.urls[target], self._started_s, ended_s)
            for target in options.targets
        }
        patient = self._folder.status == "running"
        conclude(self._folder, {"cloud": read_usage(options.project, windows, self._tell, patient=patient)})

    def _wait(self) -> None:
        idle_s = self._options.idle_s
        if idle_s > 60:
            until = datetime.fromtimestamp(time.time() + idle_s).strftime("%H:%M:%S")
            self._tell(f"waiting until {until}, for the services to scale to zero")
        time.sleep(idle_s)

    def _repeat(self, repeat: int, position: int, target: Target) -> None:
        sender = self._senders[target]
        burst = sender.send(repeat, position, "burst", self._options.burst)
        after = sender.send(repeat, position, "after", 1)
        for start in (*burst, *after):
            self._folder.raw.write(start.cells(CLOUD.columns))
        self._folder.raw.flush()
        for start in burst:
            check_let_in(target, start.status)
        self._tell(_line(repeat, self._options.repeats, target, burst))


def _line(repeat: int, repeats: int, target: str, burst: Sequence[ColdStart]) -> str:
    counts = ", ".join(
        f"{count} {phase}"
        for phase in ("cold", "ready", "warm", "unknown")
        if (count := sum(start.phase == phase for start in burst))
    )
    cold = [start.response_s for start in burst if start.phase == "cold" and start.response_s is not None]
    mean = f"; response of cold ones {sum(cold) / len(cold):.2f} s" if cold else ""
    return f"{repeat + 1:3} of {repeats} {target:10} {counts}{mean}"
