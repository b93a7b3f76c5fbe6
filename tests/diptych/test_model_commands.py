"""`diptych model`: each command on a small random model, and what bad input gets."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image

from diptych.cli import main
from diptych.commands.model import pictures as model_pictures
from model.checkpoint import digest
from model.engines.load import load_engine
from model.engines.openvino import OpenVinoEngine
from model.registry import Registry
from model.seeds import image_seed
from results.naming import model_name
from results.stores.directory import DirectoryStore
from tests.support.builders.onnx_files import save_onnx
from tests.support.builders.random_checkpoints import save_random
from tests.support.missing import need

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    models = tmp_path / "models"
    models.mkdir()
    save_random(models / "tiny.safetensors")
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(models))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def _run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["model", *arguments])

    return _run


def test_list_shows_good_models_and_says_what_is_wrong_with_others(run: Run, tmp_path: Path) -> None:
    (tmp_path / "models" / "bad.safetensors").write_bytes(b"\x80\x04" + b"\0" * 50)
    result = run("list")
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.output.splitlines()}
    assert "32x32" in lines["tiny"]
    assert "pickled" in lines["bad"]
    rows = {row["name"]: row for row in json.loads(run("list", "--json").output)}
    assert rows["tiny"]["resolution"] == 32
    assert "pickled" in rows["bad"]["error"]


def test_damaged_files_of_any_kind_end_neither_list_nor_info(run: Run, tmp_path: Path) -> None:
    models = tmp_path / "models"
    sound = (models / "tiny.safetensors").read_bytes()
    floats = re.sub(rb'"data_offsets":\[(\d+),(\d+)\]', rb'"data_offsets":[\1.0,1e400]', sound, count=1)
    (models / "floats.safetensors").write_bytes(floats)
    (models / "cut.safetensors").write_bytes(sound[:100])
    (models / "folder.safetensors").mkdir()
    os.mkfifo(models / "pipe.safetensors")
    (models / "loop.safetensors").symlink_to("loop.safetensors")
    (models / "deep.model.json").write_text("[" * 100_000)
    (models / "huge.model.json").write_text('{"parameters": ' + "9" * 4000 + "}")
    bad = ("floats", "cut", "folder", "pipe", "loop", "deep", "huge")
    rows = {row["name"]: row for row in json.loads(run("list", "--json").output)}
    assert {name for name, row in rows.items() if "error" in row} == {*bad}
    assert rows["tiny"]["resolution"] == 32
    assert run("info", "tiny").exit_code == 0
    for name in bad:
        result = run("info", name)
        assert (result.exit_code, name in result.stderr, result.stderr.count("\n")) == (1, True, 1)


def test_info(run: Run) -> None:
    told = json.loads(run("info", "tiny", "--json").output)
    assert told["digest"].startswith("sha256:")
    assert told["seconds_per_image"] == 0.5
    assert told["digest"] in run("info", "tiny").output
    assert "fp32, bf16\n" in run("info", "tiny").output  # no gate has measured it


@pytest.mark.parametrize("name", ["faces-64", "faces-128"])
def test_info_says_how_far_a_precision_strays(run: Run, name: str) -> None:
    figures = re.findall(
        r"\((\d\d\.\d) dB minimum over 256 images(, rejected by auto)?\)", run("info", name).output
    )
    assert figures
    assert all((float(minimum_db) < 40) == bool(rejected) for minimum_db, rejected in figures)


def test_a_sample_is_the_beginning_of_the_job_with_that_seed(run: Run, tmp_path: Path) -> None:
    result = run(
        "sample", "tiny", "-n", "5", "--seed", "3", "--columns", "2", "-o", "sheet.png", "--precision", "fp32"
    )
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (64, 96)
        pixels = np.asarray(sheet)
    info = Registry(tmp_path / "models").get("tiny")
    engine = load_engine(info, engine="openvino", precision="fp32", threads=1)
    assert np.array_equal(pixels[32:64, 32:64], engine.generate([image_seed(3, 3)], {})[0])
    assert (pixels[64:, 32:] == 255).all()


def test_a_walk_is_a_loop_or_a_strip(run: Run, tmp_path: Path) -> None:
    assert run("interpolate", "tiny", "--stops", "3", "--steps", "4", "-o", "walk.gif").exit_code == 0
    with Image.open(tmp_path / "walk.gif") as walk:
        assert (walk.size, walk.n_frames) == ((32, 32), 12)  # type: ignore[attr-defined]
    assert run("interpolate", "tiny", "--stops", "3", "--steps", "4", "-o", "walk.png").exit_code == 0
    with Image.open(tmp_path / "walk.png") as walk:
        assert walk.size == (9 * 32, 32)


@pytest.mark.parametrize(
    "arguments",
    [("sample", "-n", "16", "-o", "s.png"), ("interpolate", "--stops", "4", "--steps", "5", "-o", "s.png")],
)
def test_a_sheet_too_large_is_refused_after_one_image(
    arguments: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    generated: list[int] = []
    generate = OpenVinoEngine.generate_from_latents

    def counted(engine: OpenVinoEngine, rows: NDArray[np.float32]) -> NDArray[np.uint8]:
        generated.append(len(rows))
        return generate(engine, rows)

    monkeypatch.setattr(OpenVinoEngine, "generate_from_latents", counted)
    monkeypatch.setattr(model_pictures, "MAX_PIXELS", 16 * 32 * 32 - 1)
    command, *options = arguments
    result = run(command, "tiny", *options)
    assert result.exit_code == 2
    assert "the sheet would have more than 16,383 pixels" in result.stderr
    assert generated == [1]


@pytest.mark.parametrize(
    ("images", "options", "complaint"),
    [
        (40, ("-n", "21"), "21 generated images need 42 real ones to compare with, not 40"),
        (40, ("-n", "16", "--neighbours", "n.jpeg"), "must end in .png"),
        (40, ("-n", "16", "--neighbours", "missing/n.png"), "folder missing does not exist"),
    ],
)
def test_quality_refuses_before_it_generates(
    images: int, options: tuple[str, ...], complaint: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("torch", extra="train")
    np.save("real.npy", np.zeros((images, 32, 32, 3), dtype=np.uint8))
    monkeypatch.setattr(OpenVinoEngine, "generate_from_latents", lambda *_: pytest.fail("painted"))
    result = run("quality", "tiny", "--data", "real.npy", *options)
    assert result.exit_code in (1, 2)
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("height", "width", "complaint"),
    [
        (4, 4, "images of 4 px cannot be measured: 7 px or more"),
        (50, 50, "images of 50 px cannot be measured"),
        (8, 12, "only square images can be measured, not 12x8"),
    ],
)
def test_images_of_a_size_that_cannot_be_measured(height: int, width: int, complaint: str, run: Run) -> None:
    need("torch", extra="train")
    save_onnx(Path("odd.onnx"), image=(3, height, width))
    assert run("add", "odd", "onnx:odd.onnx").exit_code == 0
    np.save("real.npy", np.zeros((40, 50, 50, 3), dtype=np.uint8))
    result = run("quality", "odd", "--data", "real.npy", "-n", "16")
    assert result.exit_code in (1, 2)
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1


def test_calibrate_measures_and_the_registry_uses_it(run: Run) -> None:
    measured = json.loads(run("calibrate", "tiny", "-n", "3", "--json").output)
    assert 0 < measured["seconds_per_image"] < 0.5
    told = json.loads(run("info", "tiny", "--json").output)
    assert told["seconds_per_image"] == measured["seconds_per_image"]


def test_push_puts_a_model_into_the_store_once(run: Run, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store")
    first = run("push", "tiny", "--store", store.url)
    assert first.exit_code == 0, first.stderr
    assert f"to {store.url}" in first.output
    path = tmp_path / "models" / "tiny.safetensors"
    assert store.read(model_name(digest(path))) == path.read_bytes()
    assert "is already in" in run("push", "tiny", "--store", store.url).output
    told = json.loads(run("push", "tiny", "--store", store.url, "--json").output)
    assert told == {"name": "tiny", "digest": digest(path), "store": store.url, "pushed_bytes": 0}
    # One that is shipped may be pushed too: for workers of another version.
    assert json.loads(run("push", "faces-64", "--store", store.url, "--json").output)["pushed_bytes"] > 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("push", "nope", "--store", "file:///x"), "unknown model nope"),
        (("push", "../tiny", "--store", "file:///x"), "not a path or URL"),
        (("push", "tiny", "--store", "s3://x"), "bad store URL"),
        (("push", "tiny"), "no store"),
        (("info", "nope"), "unknown model nope; known models:"),
        (("info", "../tiny"), "not a path or URL"),
        (("sample", "tiny", "-o", "sheet.jpg"), "must end in .png"),
        (("sample", "tiny", "-o", "missing/sheet.png"), "folder missing does not exist"),
        (("sample", "tiny", "-n", "0", "-o", "sheet.png"), "0 is not in the range"),
        (("sample", "tiny", "--seed", str(2**63), "-o", "sheet.png"), "is not in the range"),
        (("sample", "tiny", "--engine", "torch", "--precision", "int8", "-o", "s.png"), "does not run int8"),
        (("interpolate", "tiny", "-o", "walk.mp4"), "must end in .gif or .webp or .png"),
        (("train", "c.toml", "--kimg", "nan"), "--kimg must be a number"),
        (("train", "c.toml", "--kimg", "inf"), "--kimg must be a number"),
    ],
)
def test_bad_input_gets_one_line(run: Run, arguments: tuple[str, ...], complaint: str) -> None:
    Path("c.toml").touch()
    result = run(*arguments)
    assert result.exit_code in (1, 2)
    assert complaint in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_help_lists_the_training_commands_too(run: Run) -> None:
    output = run("--help").output
    for name in ("calibrate", "export", "info", "interpolate", "list", "push", "sample", "train"):
        assert f"  {name} " in output
