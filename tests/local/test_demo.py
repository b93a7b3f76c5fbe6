"""`diptych demo`: what `make demo` runs."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from results.imaging.png import decode
from tests.local.conftest import Start
from tests.support.servers.up_process import environment
from tests.support.waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.stack


def test_the_demo_shows_the_main_job_and_leaves_nothing_running(start: Start) -> None:
    demo = start("demo", "-n", "6")
    wait_until(lambda: "stack ready" in demo.text(), "the stack")
    demo.look()
    assert demo.wait() == 0, demo.text()
    assert demo.survivors() == []

    text = demo.text()
    for word in ("round trip", "process time", "latency", "cold", "warm", "CPU per image", "peak memory"):
        assert word in text
    assert "container 6/6, function 6/6" in text
    sheet = re.search(r"contact sheet +(\S+\.png)", text)
    assert sheet is not None
    picture = decode((demo.folder / sheet[1]).read_bytes())
    assert picture.shape[0] > 64
    assert picture.shape[1] > 128
    for target in ("container", "function"):
        place = re.search(rf"{target} +(\S+)/images/\*\.png, records/\*\.json", text)
        assert place is not None
        assert len(list((demo.folder / place[1] / "images").glob("*.png"))) == 6
        assert len(list((demo.folder / place[1] / "records").glob("*.json"))) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(start: Start, number: signal.Signals) -> None:
    demo = start("demo", "-n", "400")
    wait_until(lambda: "stack ready" in demo.text(), "the stack")
    demo.signal(number)
    assert demo.wait() == 128 + number, demo.text()
    assert demo.survivors() == []
    assert "Traceback" not in demo.text()


DROPPED = """
import os, sys
import diptych.commands.stack.demo_run
from diptych.cli import main

class Signalled:
    def __del__(self):
        os.kill(os.getpid(), {number})

real = diptych.commands.stack.demo_run.submit

def submit(*arguments):
    Signalled()
    return real(*arguments)

diptych.commands.stack.demo_run.submit = submit
sys.argv = ["diptych", "demo", "-n", "400"]
sys.exit(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_a_destructor_drops_still_ends_the_demo(
    tmp_path: Path, number: signal.Signals
) -> None:
    demo = subprocess.run(
        [sys.executable, "-c", DROPPED.format(number=int(number))],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert "Exception ignored in" in demo.stderr
    assert demo.returncode == 128 + number, demo.stderr
    assert "nothing is left running" not in demo.stdout


def test_a_demo_that_cannot_start_shows_why(start: Start) -> None:
    demo = start("demo", "--model", "none-of-ours")
    assert demo.wait() == 1
    last = demo.text().splitlines()[-1]
    assert last.startswith("error: ")
    assert "none-of-ours" in last
    assert demo.survivors() == []
