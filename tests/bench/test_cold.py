"""`bench cold`: real starts of both workers, Ctrl-C, a worker that cannot start."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from bench.cold.imports import imports_of
from bench.cold.sample import ColdStart
from bench.cold.summary import analyse
from bench.cold.variants import LOCAL
from bench.runs.read import read_run
from diptych.commands.bench.commands import bench
from local.services import WORKERS, container

BROKEN = (sys.executable, "-c", "raise SystemExit('no worker today')")


def test_a_start_of_each_target_in_its_steps(tmp_path: Path) -> None:
    out = tmp_path / "run"
    asked = ("--repeats", "1", "--out", str(out), "--fail-if", "max(png_s) > 0.01", "--fail-if", "errors > 0")
    done = CliRunner().invoke(bench, ["cold", *asked])
    assert done.exit_code == 3, done.output
    assert "FAILED function: max(png_s)" in done.output
    assert "errors > 0" not in done.output
    run = read_run(out)
    assert run.status == "complete"
    starts = [LOCAL.read(row) for row in run.rows]
    assert [one.target for one in starts] == ["container", "function"]
    for one in starts:
        assert one.outcome == "ok", one.error
        points = (0.0, one.listen_s, one.first_response_s, one.received_s, one.png_s, one.record_s)
        assert all(point is not None for point in points)
        assert [*points] == sorted(points, key=lambda point: point or 0.0)
        steps = LOCAL.steps_of(one)
        assert sum(steps.values()) == pytest.approx(one.png_s, abs=0.1)
        assert steps["model load"] > 0
        assert steps["first inference"] > 0
        imports = run.results["targets"][one.target]["imports"]
        assert imports["until_first_response"]["modules"] > 100
        assert "openvino" in imports["after_it"]["most"]
    assert run.results["paired"]["png_s"]["verdict"].startswith("none")
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 2
    assert "<script" not in page


def test_ctrl_c_leaves_a_labelled_run_and_no_worker(tmp_path: Path) -> None:
    out = tmp_path / "run"
    code = "import sys; from diptych.cli import main; sys.argv[0] = 'diptych'; main()"
    asked = ("--repeats", "100", "--target", "container", "--no-imports", "--out", str(out))
    process = subprocess.Popen(
        [sys.executable, "-c", code, "bench", "cold", *asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    raw = out / "requests.csv"
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and not (raw.exists() and raw.read_text().count("\n") > 1):
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert not psutil.wait_procs(children, timeout=10)[1]
    run = read_run(out)
    assert run.status == "interrupted"
    assert run.results["targets"]["container"]["measured"]["ok"] >= 1
    assert "PARTIAL" in (out / "report.html").read_text()


def test_a_worker_that_cannot_start_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WORKERS, "container", lambda layout: replace(container(layout), argv=BROKEN))
    out = tmp_path / "run"
    asked = ("--repeats", "1", "--no-imports", "--target", "container", "--out", str(out))
    done = CliRunner().invoke(bench, ["cold", *asked])
    assert done.exit_code == 1, done.output
    assert "failed: it ended before it listened: no worker today" in done.output
    found = json.loads((out / "summary.json").read_text())["results"]["targets"]["container"]["measured"]
    assert (found["starts"], found["ok"]) == (1, 0)
    assert "no worker today" in (out / "container.log").read_text()


def test_twenty_pairs_have_a_verdict_and_nineteen_none() -> None:
    def pair(repeat: int) -> list[ColdStart]:
        wobble = 1 + 0.01 * (repeat % 5)
        return [_start(repeat, "container", 2.0 * wobble), _start(repeat, "function", 3.0)]

    starts = [one for repeat in range(20) for one in pair(repeat)]
    found = analyse(starts, LOCAL)["paired"]["png_s"]
    assert found["verdict"] == "container lower"
    assert found["ratio"] == pytest.approx(2 / 3, rel=0.05)
    assert found["interval"][0] < found["ratio"] < found["interval"][1] < 0.8
    assert analyse(starts[2:], LOCAL)["paired"]["png_s"]["verdict"].startswith("none")
    assert set(analyse(starts, LOCAL)["targets"]["container"]["measured"]["steps"]) == set(LOCAL.steps)


def test_imports_are_summed_by_package() -> None:
    before = [
        "import time: self [us] | cumulative | imported package",
        "import time:  1500 |  2000 |   flask.app",
    ]
    after = ["[warn] import time:   500 |   500 | flask", "a line of its own"]
    found = imports_of([before, after])
    assert found["until_first_response"] == {"seconds": 0.0015, "modules": 1, "most": {"flask": 0.0015}}
    assert found["after_it"]["most"] == {"flask": 0.0005}


def _start(repeat: int, target: str, png_s: float) -> ColdStart:
    return ColdStart(
        repeat=repeat,
        position=0,
        target=target,
        phase="cold",
        outcome="ok",
        interpreter_s=0.1,
        listen_s=0.5,
        first_response_s=1.0,
        sent_s=1.0,
        received_s=1.1,
        png_s=png_s,
        record_s=png_s,
        response_s=png_s,
        model_load_s=0.2,
        generate_s=0.1,
        encode_s=0.0,
        store_s=0.0,
        process_s=0.4,
    )
