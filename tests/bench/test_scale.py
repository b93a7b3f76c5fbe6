"""Scaling: the simulation keeps to what can be reckoned by hand, and a small run is measured and labelled."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from html import escape
from itertools import pairwise
from math import exp, log
from pathlib import Path
from statistics import median

import pytest
from click.testing import CliRunner, Result

from bench.load.generator.sample import Sample
from bench.runs.read import read_run
from bench.scale.forecast import on_paper_s
from bench.scale.growth import Growth, growth_of
from bench.scale.measure import Bench, Size, run_size
from bench.scale.simulate import LABEL, Cloud, simulate
from benchmarks.delivery.tiny_model import NAME, write_tiny_model
from diptych.commands.bench.commands import bench
from local.errors import StackError
from local.services import WORKERS, container

SMALL = (
    *("--workers", "1,2", "--counts", "1e3,1e4", "--model", NAME, "--images", "2"),
    *("--duration", "1.5s", "--warm-up", "1s", "--rounds", "1"),
)


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


def test_on_paper_a_job_is_a_cold_start_and_shared_work_and_the_simulation_comes_near_it() -> None:
    cloud = Cloud(max_instances=10, cold_start_s=15, overhead_s=0.5)
    assert on_paper_s(cloud, 1000, [1.0, 2.0]) == pytest.approx(15 + 1000 * 2 / 10)
    assert on_paper_s(cloud, 4, [1.0, 2.0]) == pytest.approx(15 + 2)
    assert on_paper_s(replace(cloud, slowness=2), 1000, [1.0, 2.0]) == pytest.approx(15 + 1000 * 3.5 / 10)
    # Without a limit that refuses, what the simulation adds is the slow start alone.
    wide = Cloud(max_instances=10, cold_start_s=15, overhead_s=0.5, max_window=10)
    simulated = simulate(wide, 20_000, [1.0, 2.0], seed=1)
    assert simulated.refused == 0
    assert 1 <= simulated.makespan_s / on_paper_s(wide, 20_000, [1.0, 2.0]) < 1.05


def test_nothing_measured_is_nothing_simulated() -> None:
    with pytest.raises(ValueError, match="no measured task"):
        simulate(Cloud(), 10, [], seed=1)


def small_run(models: Path, monkeypatch: pytest.MonkeyPatch, out: Path, *more: str) -> Result:
    write_tiny_model(models)
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(models))
    return CliRunner().invoke(bench, ["scale", *SMALL, "--out", str(out), *more])


def test_a_small_run_is_measured_simulated_and_labelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    limits = ("--fail-if", "images_per_s(2) < 1e9", "--fail-if", "failed(1) > 0")
    done = small_run(tmp_path / "models", monkeypatch, out, *limits)
    assert done.exit_code == 3, done.output
    assert "FAILED images_per_s(2) < 1e9" in done.output
    assert "failed(1)" not in done.output
    assert "SIMULATION" in done.output
    results = read_run(out).results
    assert [one["workers"] for one in results["measured"]] == [1, 2]
    assert all(one["images_per_s"] > 0 for one in results["measured"])
    assert results["measured"][0]["efficiency"] == 1
    assert len(results["growth"]["steps"]) == 1
    # One worker that is always busy: reckoned from its times, without the gaps that load widens.
    assert 0.9 < results["check"][0]["simulated_over_measured"] < 2
    simulated = results["simulated"]
    assert all(one["label"] == LABEL for one in simulated)
    assert all(one["on_paper_s"] < 1.2 * one["time_s"] for one in simulated)
    assert all(small["cost_usd"] < large["cost_usd"] for small, large in pairwise(simulated))
    page = (out / "report.html").read_text()
    assert LABEL in page
    assert escape(results["growth"]["words"][0]) in page


def test_ctrl_c_keeps_the_rounds_that_came_to_their_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third measurement is interrupted: the first round is whole, of the second there is one size."""
    runs = iter(range(10))

    def stops(bench: Bench, workers: int, seen: Callable[[Sample], None]) -> None:
        def torn(one: Sample) -> None:
            seen(one)
            if one.phase == "measured":
                raise KeyboardInterrupt

        run_size(bench, workers, torn if next(runs) == 2 else seen)

    monkeypatch.setattr("bench.scale.run.run_size", stops)
    out = tmp_path / "run"
    done = small_run(tmp_path / "models", monkeypatch, out, "--rounds", "2", "--fail-if", "grows_to < 1")
    assert done.exit_code == 130, done.output
    run = read_run(out)
    assert run.status == "interrupted"
    assert len({(row["round"], row["workers"]) for row in run.rows}) == 3
    assert [one["rounds"] for one in run.results["measured"]] == [1, 1]
    assert "PARTIAL: interrupted" in (out / "report.html").read_text()


def test_workers_that_do_not_start_are_an_error_and_a_labelled_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = (sys.executable, "-c", "raise SystemExit('no worker today')")
    monkeypatch.setitem(WORKERS, "container", lambda layout: replace(container(layout), argv=broken))
    out = tmp_path / "run"
    done = small_run(tmp_path / "models", monkeypatch, out)
    assert isinstance(done.exception, StackError)
    assert read_run(out).status.startswith("failed")
    assert "Nothing was measured." in (out / "report.html").read_text()


def sizes(*rates: float) -> list[Size]:
    counts = [2**place for place in range(len(rates))]
    efficiency = [rate / (count * rates[0]) for rate, count in zip(rates, counts, strict=True)]
    return [
        Size(count, rate, rate, rate, share, 0.1, 0, 100, 3)
        for count, rate, share in zip(counts, rates, efficiency, strict=True)
    ]


def growth(*rates: tuple[float, ...]) -> Growth:
    by_round = {2**place: dict(enumerate(of)) for place, of in enumerate(rates)}
    return growth_of(by_round, sizes(*(median(of) for of in rates)))


def test_where_it_stops_is_told_beyond_the_noise_of_the_rounds() -> None:
    found = growth((10, 10.2, 9.9), (19, 19.5, 19.2), (20, 18.5, 19.4), (19, 20, 19.1))
    assert (found.grows_to, found.stopped, found.half_at) == (2, True, 4)
    assert "It stops at 2 workers, 19.2 images/s: 4 give 1.0" in found.words[0]
    assert "falls below a half at 4 workers: 0.48" in found.words[-1]
    straight = growth((10, 10.2, 9.9), (19, 19.5, 19.2), (38, 37, 39))
    assert (straight.grows_to, straight.stopped, straight.half_at) == (4, False, None)
    assert "No end was seen" in straight.words[0]
    # The same mean growth in a wide scatter is none that these rounds can show.
    unclear = growth((10, 20, 5), (19, 10, 18))
    assert (unclear.grows_to, unclear.stopped) == (1, False)
    assert "Whether images/s grow beyond 1 worker, 10 images/s, is undecided" in unclear.words[0]


def test_one_round_or_one_size_tells_no_noise() -> None:
    once = growth((10,), (15,), (14,))
    assert (once.grows_to, once.stopped) == (2, True)
    assert any("One round does not show the noise" in line for line in once.words)
    assert growth((10, 11)).words == ("One size alone, 1 worker (10.5 images/s): it shows no growth.",)
    assert growth_of({}, []).words == ("Nothing was measured.",)


def test_the_interval_is_student_s() -> None:
    """Five rounds, by hand: mean 0.1, SD 0.1 of the log ratios, t(4) = 2.132."""
    logs = [0.1 + 0.1 * part for part in (-1.2649, -0.6325, 0, 0.6325, 1.2649)]
    (step,) = growth((1.0,) * 5, tuple(exp(one) for one in logs)).steps
    assert step.low is not None
    assert step.high is not None
    assert log(step.high) == pytest.approx(0.1 + 2.132 * 0.1 / 5**0.5, abs=1e-3)
    assert log(step.low) == pytest.approx(0.1 - 2.132 * 0.1 / 5**0.5, abs=1e-3)


@pytest.mark.parametrize("bad", ["0,1", "1,x", "65", ""])
def test_sizes_that_make_no_sense_are_refused(bad: str) -> None:
    assert CliRunner().invoke(bench, ["scale", "--workers", bad]).exit_code == 2


def test_a_limit_on_a_size_that_is_not_measured_is_refused() -> None:
    done = CliRunner().invoke(bench, ["scale", "--workers", "1,2", "--fail-if", "efficiency(4) < 0.7"])
    assert done.exit_code == 2
    assert "efficiency(1), efficiency(2)" in " ".join(done.output.replace("│", " ").split())
