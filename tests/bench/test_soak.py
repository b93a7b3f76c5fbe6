"""The soak, scaled down for CI; `python -m benchmarks.delivery.soak` is the full one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.delivery.soak import Soak, SoakReport, run_soak
from benchmarks.delivery.soak_jobs import ASK_EVERY_S, SILENCE_S, SilenceWatch


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> SoakReport:
    soak = Soak(run_s=1.0, seed=5, pause_s=0.5, long_share=0.0, tasks=(1, 30))
    return run_soak(soak, tmp_path_factory.mktemp("soak"))


@pytest.mark.stack
def test_every_kind_of_fault_comes(report: SoakReport) -> None:
    assert {"connections cut", "worker and deliverer killed", "FLUSHALL"} <= report.faults.keys()
    assert min(report.faults.values()) >= 1, report


@pytest.mark.stack
def test_every_promise_is_kept(report: SoakReport) -> None:
    assert report.promises_kept, report
    assert report.audit_counts.tasks > 0


@pytest.mark.stack
def test_a_job_that_stands_still_breaks_a_promise(report: SoakReport) -> None:
    assert not replace(report, stuck=("job-0001",)).promises_kept


def test_silence_is_a_fault_unless_status_says_why() -> None:
    now = [0.0]
    watch = SilenceWatch(lambda job_id: job_id == "told", lambda: now[0])
    for now[0] in (0.0, SILENCE_S, SILENCE_S + ASK_EVERY_S):
        watch.look("told", "container", 3)
        watch.look("silent", "container", 3)
    assert watch.stuck == {"silent on container"}
    assert watch.noticed == 2


def test_a_reason_counts_whenever_status_gave_it() -> None:
    reasons = iter([False, True, False, False])
    now = [0.0]
    watch = SilenceWatch(lambda _: next(reasons), lambda: now[0])
    for now[0] in (0.0, 50.0, 100.0, 150.0, 200.0):
        watch.look("job", "container", 3)
    assert watch.stuck == set()


def test_progress_ends_a_silence() -> None:
    now = [0.0]
    watch = SilenceWatch(lambda _: False, lambda: now[0])
    for ended, now[0] in enumerate((0.0, SILENCE_S, 2 * SILENCE_S)):
        watch.look("job", "container", ended)
    assert watch.stuck == set()
