"""Does the load generator agree with independent tools? The same push, the same endpoint, the same minute.

python -m benchmarks.generator.agreement [--endpoint delayed|container|busy] [--rounds 5] [--json]

The tools are Debian's: apt-get install wrk hey jmeter jmeter-http (2.13). Those that are there are run.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from bench.errors import BenchError
from bench.load.generator.pushes import Pushes
from bench.load.workers import local_worker
from benchmarks.generator.figures import LIMIT, Figures, Round, agreements
from benchmarks.generator.jmeter import jmeter, jmeter_missing
from benchmarks.generator.report import report
from benchmarks.generator.server import Delays, delayed_server, server_medians
from benchmarks.generator.tool import Load
from benchmarks.generator.tools import hey, ours, wrk
from benchmarks.script import parser_of, run_script
from model.registry import Registry

TOOLS: Final[dict[str, Callable[[Load], Figures]]] = {"ours": ours, "wrk": wrk, "hey": hey, "jmeter": jmeter}
ENDPOINTS: Final = ("delayed", "container", "busy")
_WAIT: Final = "DIPTYCH_SLOT_WAIT_S"


def installed(without: Sequence[str] = ()) -> list[str]:
    """Names of the tools that are there, ours first.

    Raises:
        BenchError: ours is alone.
    """
    there = [name for name in ("wrk", "hey") if shutil.which(name)]
    if not jmeter_missing():
        there.append("jmeter")
    chosen = [name for name in there if name not in without]
    if not chosen:
        raise BenchError("there is no tool to compare with: apt-get install wrk hey jmeter jmeter-http")
    return ["ours", *chosen]


@contextmanager
def endpoint(name: str, delays: Delays) -> Iterator[tuple[str, bytes]]:
    """Open one of ENDPOINTS; yields its URL and what to post.

    Raises:
        BenchError, StackError: it does not start.
    """
    body = Pushes("load-agreement", Registry(None).get("faces-64"), "container", 1, 1).body(0, 1)
    if name == "delayed":
        with delayed_server(delays) as url:
            yield url, body
        return
    before = os.environ.get(_WAIT)
    if name == "busy":
        os.environ[_WAIT] = "0"  # who finds the slot taken is refused at once
    try:
        with (
            tempfile.TemporaryDirectory(prefix="dta-") as folder,
            local_worker("container", Path(folder)) as worker,
        ):
            yield worker.url, body
    finally:
        os.environ.pop(_WAIT, None)
        if before is not None:
            os.environ[_WAIT] = before


def measure(
    where: str, tools: Sequence[str], rounds: int, seconds: int, users: int, *, delays: Delays, seed: int = 1
) -> list[Round]:
    """Run every tool in each round, the order by lot.

    Raises:
        BenchError: a tool fails.
        StackError: the container does not start.
    """
    lots, found = random.Random(seed), []
    with tempfile.TemporaryDirectory(prefix="dta-") as name, endpoint(where, delays) as (url, body):
        load = Load(url, body, users, seconds, Path(name))
        ours(replace(load, users=1, seconds=1))  # loads the container's model, and generates the one image
        for _ in range(rounds):
            order = lots.sample(list(tools), len(tools))
            began_s = time.perf_counter()
            figures, server = {}, {}
            for tool in order:
                if where == "delayed":
                    server_medians(url)
                figures[tool] = TOOLS[tool](load)
                if where == "delayed":
                    server[tool] = server_medians(url)
            found.append(Round(tuple(order), time.perf_counter() - began_s, figures, server))
    return found


def main() -> None:
    """The command line."""
    options = (
        ("--first-ms", 30.0, "delayed: until the first byte"),
        ("--rest-ms", 20.0, "delayed: from there to the last byte"),
        ("--rounds", 5),
        ("--seconds", 5),
        ("--users", 10),
        ("--seed", 1, "of the tools' order"),
    )
    parser = parser_of("Compare with wrk, hey and JMeter.", options)
    text = "busy: a container that sheds"
    parser.add_argument("--endpoint", choices=ENDPOINTS, default="delayed", help=text)
    others = [name for name in TOOLS if name != "ours"]
    parser.add_argument("--without", choices=others, action="append", default=[])

    def measured(chosen: argparse.Namespace, _: Path) -> list[Round]:
        tools, delays = installed(chosen.without), Delays(chosen.first_ms / 1000, chosen.rest_ms / 1000)
        load = (chosen.rounds, chosen.seconds, chosen.users)
        return measure(chosen.endpoint, tools, *load, delays=delays, seed=chosen.seed)

    run_script(parser, measured, lambda rounds: "\n".join(report(rounds)), document=_document)


def _document(rounds: Sequence[Round]) -> dict[str, object]:
    compared = [
        {
            **asdict(agreement),
            "middle": agreement.middle,
            "interval": agreement.interval,
            "coverage": agreement.coverage,
            "agrees": agreement.agrees,
        }
        for agreement in agreements(rounds)
    ]
    return {"limit": LIMIT, "agreements": compared, "rounds": [asdict(agreement) for agreement in rounds]}


if __name__ == "__main__":
    main()
