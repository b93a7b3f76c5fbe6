"""The wall clock is set in the middle of a measurement: what it touched is apart, the rest is right."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.cold.sample import ColdStart
from bench.cold.starter import Starter, StartFailed, interpreter_s
from bench.load.generator.pushes import Pushes
from bench.queue.follow import Flight, Follower
from bench.queue.report import report_html
from bench.queue.summary import analyse, measured_quantities
from bench.queue.task_timing import TaskTiming
from bench.queue.text import text_lines
from bench.runs.folder import RunFolder
from bench.runs.read import StoredRun, read_run
from bench.runs.wall_clock import ahead_s, was_set
from model.registry import Registry
from pipeline.config.settings import load_settings
from results.naming import record_name
from results.stores.directory import DirectoryStore
from tests.support.builders.compare_jobs import put, put_manifest
from tests.support.waiting import LIMIT_S

TASK_S = 0.4
"""Round trip of every task."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A wall clock that a test can set: `step_s` is how far it was set."""
    real, found = time.time, {"step_s": 0.0}
    monkeypatch.setattr(time, "time", lambda: real() + found["step_s"])
    return found


def submitted(store: DirectoryStore, job_id: str, number: int, origin: float, *, warm_up: bool) -> Flight:
    """A job of one task, submitted now."""
    sent_s = time.monotonic() - origin
    head = {"job": number, "due_s": sent_s, "sent_s": sent_s, "lag_s": 0.0, "submit_s": 0.01}
    manifest = put_manifest(store, job_id=job_id, count=4, targets=("container",))
    return Flight(manifest, head, warm_up, ahead_s())


def recorded(store: DirectoryStore, job_id: str, published_at_s: float, received_at_s: float) -> None:
    """Its record: both points in time by the wall clock as it stood then, what follows by the latter's."""
    published, received = (datetime.fromtimestamp(at, UTC) for at in (published_at_s, received_at_s))
    finished = received + timedelta(seconds=0.2)
    stamps: dict[str, Any] = {
        "publication_started_at": published,
        "published_at": published,
        "received_at": received,
        "finished_at": finished,
    }
    visible_s = (finished - published).total_seconds() + 0.1
    put(store, 0, "container", visible_s, job=job_id, process_s=0.2, cold_start=False, **stamps)


def test_a_damaged_record_ends_no_run(tmp_path: Path) -> None:
    store, origin = DirectoryStore(tmp_path / "store"), time.monotonic()
    timings: list[TaskTiming] = []
    follower = Follower(store, origin, timings.append)
    for number, job in enumerate(("damaged", "sound")):
        follower.add(submitted(store, job, number, origin, warm_up=False))
        recorded(store, job, time.time(), time.time() + 0.1)
    (store.root / record_name("damaged", "container", 0)).write_bytes(b"{")
    follower.look(time.monotonic() + LIMIT_S)
    assert [timing.outcome for timing in timings] == ["failed", "ok"]


@pytest.mark.parametrize("step_s", [-5.0, 0.3, 3600.0])
def test_tasks_under_way_are_apart_and_the_later_ones_right(
    tmp_path: Path, clock: dict[str, float], step_s: float
) -> None:
    store, origin = DirectoryStore(tmp_path / "store"), time.monotonic()
    timings: list[TaskTiming] = []
    follower = Follower(store, origin, timings.append)
    for number, warm_up in ((0, True), (1, False)):
        follower.add(submitted(store, f"before-{number}", number, origin, warm_up=warm_up))
    at_s = time.time()
    recorded(store, "before-0", at_s, at_s + 0.1)
    follower.look(time.monotonic() + 5)
    clock["step_s"] = step_s  # the second one is under way
    recorded(store, "before-1", at_s, at_s + 0.1 + step_s)
    follower.look(time.monotonic() + 5)
    after = submitted(store, "after", 2, origin, warm_up=False)
    follower.add(after)
    at_s = origin + after.head["sent_s"] + after.ahead_s  # by the wall clock as it stands now
    recorded(store, "after", at_s, at_s + 0.1)
    follower.look(time.monotonic() + 5)
    assert [one.phase for one in timings] == ["warm-up", "clock set", "measured"]
    values = measured_quantities(timings, "container", 1)
    for name in ("round_trip_s", "latency_from_schedule_s"):
        assert values[name] == pytest.approx([TASK_S], abs=0.05), name
    assert timings[2].visible_s == pytest.approx(timings[2].due_s + TASK_S, abs=0.05)
    figures = analyse(timings, 1)["container"]["clock set"]
    assert figures["quantities"].keys() == {
        *("process_s", "model_load_s", "generate_s", "encode_s", "store_s", "submit_s", "lag_s")
    }
    assert figures["images_per_s"] is None
    assert "clock set" in " ".join(text_lines(_run(tmp_path / "run", timings)))
    page = report_html(_run(tmp_path / "again", timings), timings)
    assert "1 task was under way when the wall clock was set" in page


def test_a_clock_that_runs_on_puts_nothing_apart() -> None:
    looks = np.array([ahead_s() for _ in range(50)])
    assert np.ptp(looks) < 0.005
    assert not was_set(0.0, 0.004, 0.1)
    assert was_set(0.0, -0.02, 0.1)
    # Ten minutes of being slewed, half a thousandth too fast, are no step.
    assert not was_set(0.0, 0.3, 600.0)


def test_a_cold_start_across_a_step_has_no_times(tmp_path: Path, clock: dict[str, float]) -> None:
    """Ratios of its times would be of anything, of a negative one even no number."""
    settings = load_settings()
    pushes = Pushes("cold-1", Registry(settings.model_dir).get("faces-64"), "container", 1, 1)
    with Starter(tmp_path, settings, 60.0) as starter:
        store = DirectoryStore(tmp_path / "store")
        put_manifest(store, job_id="cold-1", targets=("container",))
        put(store, 0, "container", 3.5, job="cold-1")
        found, ahead = ColdStart(0, 0, "container", status=204), ahead_s()
        clock["step_s"] = -30.0
        with pytest.raises(StartFailed, match=r"the wall clock was set by -30\.00 s during"):
            starter._read(found, pushes, time.monotonic(), ahead)
    assert (found.outcome, found.png_s) == ("error", None)
    assert 0 < interpreter_s() < 30


def _run(path: Path, timings: list[TaskTiming]) -> StoredRun:
    asked = {"jobs": 3, "images": 4, "rate": 1.0, "arrivals": "constant", "targets": ["container"]}
    folder = RunFolder.create(path, command="queue", configuration=asked, columns=TaskTiming.columns())
    with folder.recording():
        for one in timings:
            folder.raw.write(one.cells())
    folder.finish({"title": "Queue", "targets": analyse(timings, 1)})
    return read_run(path)
