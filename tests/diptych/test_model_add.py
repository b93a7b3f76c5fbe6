"""`diptych model add` and `remove`, and what the other commands make of an added model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from diptych.cli import main
from tests.support.builders import own_engines
from tests.support.builders.onnx_files import save_onnx

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DIPTYCH_MODEL_DIR", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.chdir(tmp_path)
    save_onnx(tmp_path / "a.onnx", image=(3, 16, 16))

    def _run(*arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments])

    return _run


def test_an_added_model_is_one_like_the_others(run: Run, tmp_path: Path) -> None:
    added = run("model", "add", "gan", "onnx:a.onnx", "--licence", "CC0-1.0", "--training-data", "noise")
    assert added.exit_code == 0, added.output
    assert "gan: onnx, 16 px, takes no params, sha256:" in added.output
    assert (tmp_path / "data" / "diptych" / "models" / "gan.model.json").exists()
    told = json.loads(run("model", "info", "gan", "--json").output)
    assert (told["licence"], told["training_data"], told["takes"]) == ("CC0-1.0", "noise", [])
    assert "gan " in run("model", "list").output
    assert run("model", "sample", "gan", "-n", "4", "-o", "sheet.png").exit_code == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (32, 32)
    assert run("model", "interpolate", "gan", "--steps", "2", "-o", "walk.gif").exit_code == 0
    assert run("model", "calibrate", "gan", "-n", "3").exit_code == 0
    plan = run("submit", "-m", "gan", "-n", "4", "--dry-run", "--json")
    assert plan.exit_code == 0, plan.output
    assert told["digest"] in plan.output
    assert run("model", "remove", "gan").output.startswith("removed ")
    assert "unknown model gan" in run("model", "info", "gan").stderr


def test_params_reach_an_own_engine(run: Run, tmp_path: Path) -> None:
    form = f"python:{own_engines.__name__}:good"
    added = run("model", "add", "own", form, "--option", "side=4", "--seconds-per-image", "0.5", "--json")
    assert added.exit_code == 0, added.output
    assert json.loads(added.output)["takes"] is None
    assert "takes any params" in run("model", "add", "own2", form).output
    told = run("model", "info", "own").output
    assert "any params\n" in told
    assert told.rstrip().endswith("those of its engine")
    sample = ("model", "sample", "own", "-n", "1", "-o", "one.png")
    assert run(*sample, "--param", "brightness=0").exit_code == 0
    with Image.open(tmp_path / "one.png") as image:
        assert image.getextrema() == ((0, 0),) * 3
    failed = run(*sample, "--param", "fail=true")
    assert (failed.exit_code, failed.stderr.count("\n")) == (1, 1)
    assert "failed: KeyError" in failed.stderr
    assert "has no latents to interpolate between" in run("model", "interpolate", "own", "-o", "w.gif").stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("add", "../gan", "onnx:a.onnx"), "is not a model name"),
        (("add", "https://x.org/gan", "onnx:a.onnx"), "is not a model name"),
        (("add", "faces-64", "onnx:a.onnx"), "model faces-64 exists already"),
        (("add", "gan", "a.onnx"), "is not a valid form"),
        (("add", "gan", "onnx:nowhere.onnx"), "the file or folder is missing"),
        (("add", "gan", "onnx:a.onnx", "--option", "range"), "is not KEY=VALUE"),
        (("add", "gan", "onnx:a.onnx", "--option", "size=3"), "unknown option size"),
        (("add", "gan", "onnx:a.onnx", "--seconds-per-image", "0"), "is not in the range"),
        (("add", "gan", "python:no.such:thing"), "module no.such not found"),
        (("add", "gan", "onnx:a.onnx", "--model-dir", "a.onnx"), "cannot be saved"),
        (("remove", "gan"), "no model gan in"),
        (("remove", "faces-64"), "is a checkpoint"),
    ],
)
def test_bad_input_gets_one_line(run: Run, arguments: tuple[str, ...], complaint: str) -> None:
    result = run("model", *arguments)
    assert result.exit_code in (1, 2)
    assert complaint in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
