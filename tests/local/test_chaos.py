"""Delivery under failure, scaled down for CI; `python -m benchmarks.delivery.chaos` is the full one."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.delivery.chaos import Chaos, run_chaos
from benchmarks.delivery.killer import VICTIMS, plan_kills
from producer.submit import JobRequest

pytestmark = pytest.mark.stack


def test_every_process_may_die_and_nothing_is_lost_doubled_or_changed(tmp_path: Path) -> None:
    request = JobRequest(
        model="faces-64", count=160, targets=("container", "function"), seed=3, images_per_task=4
    )
    report = run_chaos(Chaos(request, seed=3), tmp_path)
    assert len(report.kills) == len(VICTIMS), report
    assert report.status == "succeeded", report
    assert report.audit_counts.tasks == 80
    assert (report.audit_counts.lost, report.audit_counts.doubled, report.unequal_images) == (0, 0, 0), report


def test_a_plan_names_everyone_and_depends_on_its_seed_alone() -> None:
    plan = plan_kills(VICTIMS, 400, 1)
    assert plan == plan_kills(VICTIMS, 400, 1)
    assert plan != plan_kills(VICTIMS, 400, 2)
    assert sorted(kill.victim for kill in plan) == sorted(VICTIMS)
    assert [kill.after_tasks for kill in plan] == sorted(kill.after_tasks for kill in plan)
    assert all(1 <= kill.after_tasks < 320 for kill in plan)
