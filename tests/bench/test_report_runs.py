"""`bench report`: real small runs of every kind read again, killed ones, and two side by side."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.errors import BenchError
from bench.runs.read import read_run
from benchmarks.delivery.tiny_model import NAME, write_tiny_model
from diptych.commands.bench.commands import bench
from tests.support.builders.experiments import EXPERIMENT
from tests.support.servers.http_target import http_target

KINDS = ("load", "queue", "cold", "compare", "scale")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(bench, [*arguments])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A real, small run of each kind."""
    folder = tmp_path_factory.mktemp("runs")
    write_tiny_model(folder / "models")
    (folder / "experiment.toml").write_text(EXPERIMENT)
    with pytest.MonkeyPatch.context() as patch, http_target(lambda _: (204, {})) as target:
        patch.setenv("DIPTYCH_MODEL_DIR", str(folder / "models"))
        url = ("--target", "container", "--container-url", target.url)
        tiny = ("--model", NAME)
        asked = {
            "load": (*("--users", "2", "--duration", "1s", "--warm-up", "0.2s"), *url),
            "queue": (*("--jobs", "2", "--images", "2", "--images-per-task", "1", "--rate", "2/s"), *tiny),
            "cold": ("--repeats", "1", "--no-imports", *tiny),
            "compare": (str(folder / "experiment.toml"),),
            "scale": (
                *("--workers", "1,2", "--counts", "1e3", "--images", "2", "--rounds", "1"),
                *("--duration", "1s", "--warm-up", "0.5s", *tiny),
            ),
        }
        for kind in KINDS:
            done = invoke(kind, *asked[kind], "--out", str(folder / kind))
            assert done.exit_code == 0, done.output
        yield {kind: folder / kind for kind in KINDS}


def killed(run: Path, copy: Path) -> Path:
    """A copy as SIGKILL leaves it: no figures, no report, a torn row."""
    shutil.copytree(run, copy)
    (copy / "report.html").unlink()
    summary = json.loads((copy / "summary.json").read_text())
    summary |= {"status": "running", "partial": True, "pid": 2**22 + 1, "results": {}}
    (copy / "summary.json").write_text(json.dumps(summary))
    raw = copy / "requests.csv"
    raw.write_text(raw.read_text().rstrip("\n")[:-1])
    return copy


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_made_again_from_its_raw_rows(kind: str, runs: dict[str, Path], tmp_path: Path) -> None:
    again = tmp_path / kind
    shutil.copytree(runs[kind], again)
    (again / "report.html").unlink()
    done = invoke("report", str(again))
    assert done.exit_code == 0, done.output
    before, after = read_run(runs[kind]), read_run(again)
    assert after.status == "complete"
    assert after.results == before.results
    assert str(before.results["title"]) in done.output
    assert (again / "report.html").read_text() == (runs[kind] / "report.html").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_is_readable_and_labelled(kind: str, runs: dict[str, Path], tmp_path: Path) -> None:
    run = killed(runs[kind], tmp_path / "killed")
    done = invoke("report", str(run))
    assert done.exit_code == 0, done.output
    assert "PARTIAL: killed before its end" in done.output
    after = read_run(run)
    assert after.status == "killed before its end"
    assert after.summary["raw_rows"] == len(read_run(runs[kind]).rows) - 1
    page = (run / "report.html").read_text()
    assert "PARTIAL: killed before its end" in page
    # A queue run's exact way is in no row, and is told in plainer words.
    title = "Jobs through" if kind == "queue" else read_run(runs[kind]).results["title"]
    assert title in page


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_killed_before_its_first_row(kind: str, runs: dict[str, Path], tmp_path: Path) -> None:
    run = killed(runs[kind], tmp_path / "killed")
    raw = run / "requests.csv"
    raw.write_text(raw.read_text().split("\n")[0] + "\n")
    done = invoke("report", str(run))
    assert done.exit_code == 0, done.output
    assert "PARTIAL: killed before its end" in (run / "report.html").read_text()
    both = invoke("report", str(run), str(runs[kind]), "--out", str(tmp_path / "both.html"))
    assert both.exit_code == 0, both.output


def test_a_run_that_goes_on_is_read_and_its_summary_left_alone(runs: dict[str, Path], tmp_path: Path) -> None:
    run = killed(runs["cold"], tmp_path / "running")
    summary = run / "summary.json"
    summary.write_text(json.dumps({**json.loads(summary.read_text()), "pid": os.getpid()}))
    before = summary.read_text()
    done = invoke("report", str(run))
    assert done.exit_code == 0, done.output
    assert "PARTIAL: still running" in done.output
    assert summary.read_text() == before
    assert "PARTIAL: still running" in (run / "report.html").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_two_of_a_kind_stand_side_by_side(kind: str, runs: dict[str, Path], tmp_path: Path) -> None:
    other, page = killed(runs[kind], tmp_path / "other"), tmp_path / "both.html"
    done = invoke("report", str(runs[kind]), str(other), "--out", str(page))
    assert done.exit_code == 0, done.output
    text = page.read_text()
    assert f"Two runs of bench {kind}: {kind} and other" in text
    assert "other: " in text
    assert "PARTIAL: killed before its end" in text
    assert text.count("<svg") >= (0 if kind == "compare" else 1)
    for one in (text, (runs[kind] / "report.html").read_text()):
        assert "mathdefault" not in one  # a tick that is left as TeX
        assert not re.search(r"<(script|link|img|iframe|object)|src=|href=.(?!#)|url\((?!#)|@import", one)


def test_runs_of_two_kinds_and_of_none_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    apart = invoke("report", str(runs["load"]), str(runs["cold"]), "--out", str(tmp_path / "both.html"))
    assert isinstance(apart.exception, BenchError)
    assert "load is of `bench load` and " in str(apart.exception)
    strange = tmp_path / "strange"
    shutil.copytree(runs["cold"], strange)
    configuration = json.loads((strange / "configuration.json").read_text())
    for command, told in (("scale", "holds no scale run"), ("dance", "there is load, queue, cold")):
        (strange / "configuration.json").write_text(json.dumps({**configuration, "command": command}))
        refused = invoke("report", str(strange))
        assert isinstance(refused.exception, BenchError)
        assert told in str(refused.exception)
    assert invoke("report", str(runs["load"]), "--out", "x.html").exit_code == 2
    assert not (tmp_path / "both.html").exists()
