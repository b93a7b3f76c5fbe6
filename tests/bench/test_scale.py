"""Scaling: the simulation keeps to what can be reckoned by hand, and a small run is measured and labelled."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.cli import bench
from bench.run_folder_read import read_run
from bench.scale.simulate import LABEL, Cloud, simulate
from bench.tiny_model import NAME, write_tiny_model


def test_instances_that_are_there_share_the_work_exactly() -> None:
    here = Cloud(max_instances=4, cold_start_s=0, overhead_s=0, window=4, max_window=4)
    outcome = simulate(here, 100, [2.0], seed=1)
    assert outcome.makespan_s == pytest.approx(50)
    assert outcome.instances == 4
    assert outcome.refused == 0


def test_a_slow_start_doubles_what_is_in_flight() -> None:
    """One, two, four … at a time: 1023 tasks of one second take ten rounds, and 512 instances."""
    cloud = Cloud(max_instances=1000, cold_start_s=0, overhead_s=0)
    outcome = simulate(cloud, 1023, [1.0], seed=1)
    assert outcome.makespan_s == pytest.approx(10)
    assert outcome.instances == 512


def test_a_limit_refuses_and_all_tasks_are_done_all_the_same() -> None:
    cloud = Cloud(max_instances=5, cold_start_s=10, overhead_s=0.5)
    outcome = simulate(cloud, 2000, [1.0, 2.0], seed=1)
    assert outcome == simulate(cloud, 2000, [1.0, 2.0], seed=1)
    assert outcome != simulate(cloud, 2000, [1.0, 2.0], seed=2)
    assert len(outcome.request_s) == 2000
    assert outcome.instances == 5
    assert outcome.refused > 0
    assert sum(outcome.request_s) / 5 <= outcome.makespan_s < 3 * sum(outcome.request_s) / 5


def test_nothing_measured_is_nothing_simulated() -> None:
    with pytest.raises(ValueError, match="no measured task"):
        simulate(Cloud(), 10, [], seed=1)


def test_a_small_run_is_measured_simulated_and_labelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_model(tmp_path / "models")
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(tmp_path / "models"))
    out = tmp_path / "run"
    done = CliRunner().invoke(
        bench,
        [
            *("scale", "--workers", "1,2", "--counts", "1e3,1e4", "--model", NAME, "--images", "2"),
            *("--duration", "1.5s", "--warm-up", "1.5s", "--rounds", "1", "--out", str(out)),
        ],
    )
    assert done.exit_code == 0, done.output
    assert "SIMULATION" in done.output
    results = read_run(out).results
    assert [one["workers"] for one in results["measured"]] == [1, 2]
    assert all(one["images_per_s"] > 0 for one in results["measured"])
    assert results["measured"][0]["efficiency"] == 1
    # One worker that is always busy: reckoned from its times, without the gaps that load widens.
    assert 0.9 < results["check"][0]["simulated_over_measured"] < 2
    simulated = results["simulated"]
    assert all(one["label"] == LABEL for one in simulated)
    assert all(small["cost_usd"] < large["cost_usd"] for small, large in pairwise(simulated))
    assert LABEL in (out / "report.html").read_text()


@pytest.mark.parametrize("bad", ["0,1", "1,x", "65", ""])
def test_sizes_that_make_no_sense_are_refused(bad: str) -> None:
    assert CliRunner().invoke(bench, ["scale", "--workers", bad]).exit_code == 2
