"""Cold runs as the version before wrote them, one of this machine and one of a cloud, read again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.cold.variants import CLOUD, LOCAL, Variant
from bench.runs.read import read_run
from diptych.commands.bench.commands import bench

DATA = Path(__file__).parent / "data"


def check_kept(old: Any, new: Any, where: str = "") -> None:
    """Every figure of the old summary is in the new one, by the same name and with the same value."""
    if isinstance(old, dict):
        for name, value in old.items():
            assert name in new, f"{where}.{name}"
            check_kept(value, new[name], f"{where}.{name}")
    elif isinstance(old, list):
        assert len(old) == len(new), where
        for place, (before, after) in enumerate(zip(old, new, strict=True)):
            check_kept(before, after, f"{where}[{place}]")
    else:
        assert new == (pytest.approx(old) if isinstance(old, float) else old), where


@pytest.mark.parametrize(("name", "variant"), [("cold-local", LOCAL), ("cold-cloud", CLOUD)])
def test_a_run_of_the_previous_version_is_reported(name: str, variant: Variant, tmp_path: Path) -> None:
    run = tmp_path / name
    shutil.copytree(DATA / name, run)
    assert (run / "requests.csv").read_text().splitlines()[0] == ",".join(variant.columns)
    old = json.loads((run / "summary.json").read_text())["results"]
    done = CliRunner().invoke(bench, ["report", str(run)])
    assert done.exit_code == 0, done.output
    assert old["title"] in done.output
    check_kept(old, read_run(run).results)
    page = (run / "report.html").read_text()
    assert page.count("<svg") == 2
    assert variant.steps_title in page


def test_runs_of_both_kinds_are_not_set_side_by_side() -> None:
    both = CliRunner().invoke(bench, ["report", str(DATA / "cold-local"), str(DATA / "cold-cloud")])
    assert "two runs side by side are of one kind" in str(both.exception)
