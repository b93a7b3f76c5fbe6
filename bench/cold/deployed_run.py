"""Cold starts of deployed services, from an empty folder to the report.

Nobody outside can make Cloud Run end an instance. Two things make it start one: more requests at once than
it has instances (concurrency is 1), and requests after it has scaled to zero. So each repeat waits, then
sends a burst; the records say who started for it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bench.cloud.metrics import Window, read_usage
from bench.cloud.services import Service, service_of_url
from bench.cloud.targets import check_let_in, deployed_store, deployed_target
from bench.cold.deployed_report import report_html
from bench.cold.deployed_sample import COLUMNS, DeployedStart
from bench.cold.deployed_sender import DeployedSender
from bench.cold.deployed_summary import results_of_rows
from bench.load.pushes import Pushes
from bench.runs.folder import RunFolder
from bench.runs.read import StoredRun, read_run
from model.registry import Registry
from pipeline.config.settings import load_settings
from results.documents import Target

COMMAND: Final = "cold --cloud"
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DeployedOptions:
    """What to do.

    Args:
        out: the run's folder.
        repeats: bursts at each target.
        targets: in this order first, then alternating.
        urls: where they answer.
        store_url: where they write to.
        idle_s: before each repeat but the first: the services scale to zero meanwhile.
        burst: requests at once.
        model: registered name.
        seed: of the images.
        timeout_s: of a request.
        owned: hosts that are the user's.
        account: a service account to act for; "": the user's own.
        project: whose Cloud Monitoring is read; "": none.
    """

    out: Path
    repeats: int
    targets: tuple[Target, ...]
    urls: dict[Target, str]
    store_url: str
    idle_s: float
    burst: int
    model: str
    seed: int
    timeout_s: float
    owned: tuple[str, ...] = ()
    account: str = ""
    project: str = ""


def run_deployed(options: DeployedOptions, tell: Tell) -> StoredRun:
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

    def __init__(self, options: DeployedOptions, tell: Tell) -> None:
        self._options, self._tell = options, tell
        store = deployed_store(options.store_url)
        model = Registry(load_settings().model_dir).get(options.model)
        job = f"cold-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        self._origin, self._started_s = time.perf_counter(), time.time()
        self._senders = {
            target: DeployedSender(
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
            "cloud": True,
            "job_id": job,
            "model_digest": model.digest,
            "images": 1,
        }
        self._folder = RunFolder.create(
            options.out, command=COMMAND, configuration=configuration, columns=COLUMNS
        )

    def record(self) -> None:
        """Wait and send, again and again."""
        options = self._options
        hours = (options.repeats - 1) * options.idle_s / 3600
        if hours > 0.1:
            self._tell(f"{options.repeats} repeats: about {hours:.1f} hours, most of them waiting")
        with self._folder.recording():
            for repeat in range(options.repeats):
                if repeat:
                    self._wait()
                order = options.targets if repeat % 2 == 0 else options.targets[::-1]
                for position, target in enumerate(order):
                    self._repeat(repeat, position, target)

    def conclude(self) -> None:
        """Write the figures and the report."""
        usage = self._usage()
        stored = read_run(self._options.out)
        self._folder.finish({**results_of_rows(stored), "cloud": usage})
        self._folder.write_report(report_html(read_run(self._options.out)))

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
        for one in (*burst, *after):
            self._folder.raw.write(one.row())
        self._folder.raw.flush()
        for one in burst:
            check_let_in(target, one.status)
        self._tell(_line(repeat, self._options.repeats, target, burst))

    def _usage(self) -> dict[str, Any]:
        options = self._options
        if not options.project:
            return {}
        ended_s = self._started_s + time.perf_counter() - self._origin
        windows = {
            target: Window(
                service_of_url(options.urls[target]) or Service(f"diptych-{target}"), self._started_s, ended_s
            )
            for target in options.targets
        }
        patient = self._folder.status == "running"
        return read_usage(options.project, windows, self._tell, patient=patient)


def _line(repeat: int, repeats: int, target: str, burst: Any) -> str:
    found: list[DeployedStart] = [*burst]
    counts = ", ".join(
        f"{sum(one.phase == phase for one in found)} {phase}"
        for phase in ("cold", "ready", "warm", "unknown")
        if any(one.phase == phase for one in found)
    )
    cold = [one.response_s for one in found if one.phase == "cold" and one.response_s is not None]
    mean = f"; response of cold ones {sum(cold) / len(cold):.2f} s" if cold else ""
    return f"{repeat + 1:3} of {repeats} {target:10} {counts}{mean}"
