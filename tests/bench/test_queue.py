"""`bench queue`: real jobs through a real stack, Ctrl-C in the middle, what waited for a slot."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from click.testing import CliRunner

from bench.errors import BenchError
from bench.queue.schedule import due_times, fingerprint
from bench.queue.task_timing import TaskTiming
from bench.queue.waiting import most_at_once, waits_s
from bench.runs.read import read_run
from diptych.commands.bench.commands import bench
from pipeline.config.run_file import find_run_file


def test_jobs_through_a_stack_of_its_own(tmp_path: Path) -> None:
    out = tmp_path / "run"
    asked = ("--jobs", "2", "--images", "2", "--images-per-task", "1", "--rate", "2/s", "--slots", "1")
    missed = "max(round_trip_s) > 0.000001"
    done = CliRunner().invoke(
        bench, ["queue", *asked, "--out", str(out), "--fail-if", missed, "--fail-if", "error_rate > 0"]
    )
    assert done.exit_code == 3, done.output
    assert "FAILED container: max(round_trip_s)" in done.output
    assert "error_rate" not in done.output
    run = read_run(out)
    assert run.status == "complete"
    timings = [TaskTiming.read(row) for row in run.rows]
    assert sorted((one.target, one.job, one.task) for one in timings) == [
        (target, job, task) for target in ("container", "function") for job in (0, 1) for task in (0, 1)
    ]
    assert {one.outcome for one in timings} == {"ok"}
    for target in ("container", "function"):
        found = run.results["targets"][target]
        assert found["cold"]["tasks"] == 1
        assert found["measured"]["tasks"] == 3
        mean = {name: one["mean"] for name, one in found["measured"]["quantities"].items()}
        parts = ("publish_s", "queue_wait_s", "delivery_s", "slot_wait_s", "process_s", "commit_s")
        assert sum(mean[name] for name in parts) == pytest.approx(mean["round_trip_s"], abs=0.05)
        assert mean["round_trip_s"] > mean["process_s"] > mean["generate_s"] > 0
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 3
    assert "<script" not in page


def test_ctrl_c_leaves_a_labelled_run_and_no_stack(tmp_path: Path) -> None:
    out = tmp_path / "run"
    code = "import sys; from diptych.cli import main; sys.argv[0] = 'diptych'; main()"
    asked = ("--jobs", "500", "--images", "32", "--rate", "10/s", "--target", "container", "--out", str(out))
    process = subprocess.Popen(
        [sys.executable, "-c", code, "bench", "queue", *asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 90
    raw = out / "requests.csv"
    while time.monotonic() < deadline and not (raw.exists() and raw.read_text().count("\n") > 3):
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) > 4
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert "PARTIAL: interrupted" in output
    run = read_run(out)
    assert run.status == "interrupted"
    assert run.results["targets"]["container"]["measured"]["ok"] >= 1
    assert len(run.rows) < 500
    # What was under way is no error: nobody waited for it.
    assert {row["outcome"] for row in run.rows} <= {"ok", "unfinished"}
    assert run.results["targets"]["container"]["measured"]["error_rate"] == 0
    assert "PARTIAL" in (out / "report.html").read_text()


def test_the_same_seed_is_the_same_schedule() -> None:
    one, other = due_times(200, 2.0, "poisson", 1), due_times(200, 2.0, "poisson", 2)
    assert fingerprint(one) == fingerprint(due_times(200, 2.0, "poisson", 1)) != fingerprint(other)
    assert one[0] == 0
    assert one[-1] == pytest.approx(100, rel=0.3)
    assert np.diff(due_times(5, 4.0, "constant", 1)) == pytest.approx(0.25)


def test_queue_wait_is_the_time_in_which_every_slot_was_taken() -> None:
    def timing(published_s: float, received_s: float, finished_s: float) -> TaskTiming:
        common = {"target": "container", "phase": "measured", "outcome": "ok", "instance": ""}
        blank = TaskTiming.read(
            {**dict.fromkeys(TaskTiming.columns(), ""), **dict.fromkeys(_WHOLE, "0"), **common}
        )
        return replace(blank, published_s=published_s, received_s=received_s, finished_s=finished_s)

    timings = [timing(0, 1, 3), timing(0.5, 3.2, 5), timing(4, 6, 7)]
    # The first found a free slot; the second waited from 1 to 3, the third from 4 to 5: the rest is delivery.
    assert waits_s(timings, 1) == pytest.approx([0, 2, 1])
    assert waits_s(timings, 2) == pytest.approx([0, 0, 0])
    assert most_at_once(timings) == 1
    # A worker that takes a task in hand while its slot is taken does not work at two.
    early = [replace(timings[0], process_s=2.0), replace(timings[1], received_s=1.5, process_s=1.8)]
    assert most_at_once(early) == 1
    assert waits_s(early, 1) == pytest.approx([0, 0.5])
    assert most_at_once([timing(0, 1, 3), timing(0, 2, 3), timing(0, 3, 4)]) == 2


def test_no_stack_here_and_bad_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_run_file() is None
    nobody = CliRunner().invoke(bench, ["queue", "--running", "--out", "run"])
    assert isinstance(nobody.exception, BenchError)
    assert "no stack runs" in str(nobody.exception)
    for bad in (["--jobs", "2", "--warm-up", "2"], ["--rate", "0/s"], ["--jobs", "0"]):
        assert CliRunner().invoke(bench, ["queue", *bad]).exit_code == 2
    assert not [*tmp_path.iterdir()]


_WHOLE = ("job", "task", "images", "due_s", "sent_s", "lag_s", "submit_s")
