"""The run folder: rows that survive what can happen, labels, thresholds."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench.errors import BenchError, DiskFull
from bench.runs.folder import RunFolder
from bench.runs.raw import RawLog
from bench.runs.read import read_run
from bench.runs.thresholds import check_thresholds, parse_threshold
from diptych.commands.bench.commands import bench
from tests.support.builders.full_disk import FullDisk


def a_folder(path: Path) -> RunFolder:
    return RunFolder.create(path, command="load", configuration={"seed": 1}, columns=("a", "b"))


def test_a_full_disk_leaves_whole_rows_and_says_how_many(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "run")
    folder.raw.close()
    file = FullDisk(folder.raw.path, room=30)
    with folder.recording():
        folder.raw = RawLog(folder.raw.path, ("a", "b"), file)  # type: ignore[arg-type]
        for number in range(100):
            folder.raw.write((number, 1.5))
        folder.raw.flush()
    folder.finish({"found": 1})
    run = read_run(folder.path)
    assert run.partial
    assert "disk full" in run.status
    assert run.rows == [{"a": "0", "b": "1.500000"}, {"a": "1", "b": "1.500000"}]
    assert run.summary["raw_rows"] == 2
    assert run.results == {"found": 1}


def test_dev_full_is_told_as_a_full_disk() -> None:
    with Path("/dev/full").open("wb", buffering=0) as file, pytest.raises(DiskFull, match="No space left"):
        RawLog(Path("/dev/full"), ("a",), file)


def test_ctrl_c_is_labelled_and_nothing_is_lost(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "run")
    with folder.recording():
        folder.raw.write((1, "x,y"))
        raise KeyboardInterrupt
    folder.finish({})
    run = read_run(folder.path)
    assert (run.status, run.rows) == ("interrupted", [{"a": "1", "b": "x,y"}])


def test_a_killed_run_is_readable_without_its_torn_row(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "run")
    folder.raw.write((1, 2))
    folder.raw.flush()
    with folder.raw.path.open("a") as file:
        file.write("3,")
    summary = json.loads((folder.path / "summary.json").read_text())
    (folder.path / "summary.json").write_text(json.dumps({**summary, "pid": 2**22 + 1}))
    run = read_run(folder.path)
    assert (run.status, run.rows) == ("killed before its end", [{"a": "1", "b": "2"}])


def test_a_folder_is_used_once_and_the_environment_is_in_it(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "run")
    folder.close()
    folder.finish({})
    assert read_run(folder.path).environment["versions"]["numpy"]
    with pytest.raises(BenchError, match="holds a run already"):
        a_folder(tmp_path / "run")
    with pytest.raises(BenchError, match="no folder of a benchmark"):
        read_run(tmp_path)


def test_a_step_of_the_wall_clock_in_the_middle_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real = a_folder(tmp_path / "run"), time.time
    with folder.recording():
        monkeypatch.setattr(time, "time", lambda: real() - 3600)
    folder.finish({})
    stepped = read_run(folder.path)
    assert stepped.status == "complete"
    assert [mark[:33] for mark in stepped.marks] == ["CLOCK STEPPED by -3,600.0 s while"]
    monkeypatch.undo()
    folder.finish({})
    assert read_run(folder.path).marks == []


def test_thresholds() -> None:
    samples = {"response_s": np.arange(1, 401) / 400}
    figures = {"error_rate": 0.02, "unsent": float("nan")}

    def failed(text: str, **options: bool) -> list[str]:
        return check_thresholds([parse_threshold(text)], samples, figures, **options)

    assert failed("p99(response_s) > 2") == []
    assert failed("p50(response_s)>=0.5") == ["p50(response_s)>=0.5: it is 0.50125"]
    assert failed("mean( response_s ) < 1e-1") == []
    assert len(failed("error_rate > 0.01")) == 1
    assert "cannot be judged" in failed("unsent > 0")[0]
    assert "cannot be judged" in failed("p99(response_s) > 2", percentiles=False)[0]
    for bad in ("p99(response_s)", "__import__('os') > 1", "p101(response_s) > 1", "x(response_s) > 1", ""):
        with pytest.raises(BenchError):
            parse_threshold(bad)
    with pytest.raises(BenchError, match="not measured"):
        failed("p99(nothing) > 1")


def test_a_percentile_of_too_few_values_fails_as_not_estimable() -> None:
    few = {"response_s": np.arange(367) / 100}
    threshold = parse_threshold("p99(response_s) > 1000")
    assert check_thresholds([threshold], few, {}) == [
        "p99(response_s) > 1000: not estimable: there are 367 values, and it takes 368"
    ]
    assert check_thresholds([threshold], {"response_s": np.arange(368) / 100}, {}) == []
    assert check_thresholds([parse_threshold("max(response_s) > 1000")], few, {}) == []


@pytest.mark.parametrize(
    ("command", "known"),
    [
        (("load", "--users", "1"), ("response_s, latency_s", "error_rate, shed_rate")),
        (("queue",), ("round_trip_s, latency_from_schedule_s", "error_rate, images_per_s")),
        (("cold",), ("interpreter_s, listen_s", "errors, starts")),
        (("compare", "none.toml"), ("write a plain name", "ratio, low, high, failed_pairs")),
    ],
)
def test_a_limit_on_what_is_not_measured_is_refused_before_anything_is_made(
    command: tuple[str, ...], known: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for bad, told in (("p99(wrong_s) > 1", known[0]), ("wrong > 1", known[1]), ("p99 of all", "cannot read")):
        done = CliRunner().invoke(bench, [*command, "--fail-if", bad])
        assert done.exit_code == 2
        assert told in " ".join(done.output.replace("│", " ").split())
    assert not [*tmp_path.iterdir()]
