"""Names, forms, descriptors and params of added models."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model.adding.add import add_model, remove_model
from model.adding.form import parse_form
from model.adding.request import AddRequest
from model.engines.load import load_engine
from model.errors import CheckpointError, DigestError, EngineError, FormError, ParamsError
from model.families import validate_params
from model.folders import user_model_dir
from model.registry import Registry
from tests.support.builders.onnx_files import save_onnx
from tests.support.builders.random_checkpoints import save_random

TEXT = ("prompt", "negative_prompt", "steps", "guidance", "height", "width")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    save_onnx(tmp_path / "a.onnx")
    add_model(tmp_path / "models", "gan", f"onnx:{tmp_path / 'a.onnx'}", AddRequest(licence="MIT"))
    return tmp_path / "models"


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ("", "is not a valid form"),
        ("gan.onnx", "is not a valid form: give diffusers:FOLDER"),
        ("torch:x.pt", "is not a valid form"),
        ("https://example.org/gan.onnx", "is not a valid form"),
        ("x" * 5000, "is not a valid form"),
        ("onnx:", "invalid after onnx:"),
        ("onnx:a\0b", "invalid after"),
        ("onnx:https://example.org/gan.onnx", "is a URL; download the model first, then give its file"),
        ("diffusers:s3://bucket/model", "is a URL; download the model first, then give its folder"),
        ("python:make", "write a factory as python:PACKAGE.MODULE:FACTORY"),
        ("python:../evil:make", "write a factory as"),
        ("python:a.b:c.d()", "write a factory as"),
    ],
)
def test_wrong_forms_are_refused(form: str, complaint: str) -> None:
    with pytest.raises(FormError, match=complaint):
        parse_form(form)


@pytest.mark.parametrize(
    "source", ["nowhere", "../../no-such-folder", "a/b/c", "owner/name@", "owner/name@a/b"]
)
def test_a_source_that_is_neither_folder_nor_hub_name_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(FormError, match="neither a folder nor OWNER/NAME"):
        add_model(tmp_path, "art", f"diffusers:{source}", AddRequest())


@pytest.mark.parametrize("name", ["../gan", "/etc/passwd", "https://x.org/y", "Gan", "", "a" * 64, "gan\n"])
def test_names_that_are_paths_or_urls_are_refused(tmp_path: Path, models: Path, name: str) -> None:
    for call in (
        lambda: add_model(models, name, f"onnx:{tmp_path / 'a.onnx'}", AddRequest()),
        lambda: remove_model(models, name),
    ):
        with pytest.raises(FormError, match="is not a model name"):
            call()


def test_a_taken_name_is_refused(tmp_path: Path, models: Path) -> None:
    for name in ("gan", "faces-64"):
        with pytest.raises(FormError, match=f"model {name} exists already"):
            add_model(models, name, f"onnx:{tmp_path / 'a.onnx'}", AddRequest())


def test_an_added_model_is_registered_until_it_is_removed(tmp_path: Path, models: Path) -> None:
    registry = Registry(models)
    info = registry.get("gan")
    assert (info.name, info.family, info.licence) == ("gan", "onnx", "MIT")
    assert registry.resolve("gan", info.digest) == info
    with pytest.raises(DigestError, match="but the job needs sha256:000000000000"):
        registry.resolve("gan", "sha256:" + "0" * 64)
    assert remove_model(models, "gan") == info.path
    assert "gan" not in registry.names()
    assert (tmp_path / "a.onnx").exists()
    with pytest.raises(FormError, match="no model gan in"):
        remove_model(models, "gan")
    save_random(models / "tiny.safetensors")
    with pytest.raises(FormError, match="tiny is a checkpoint, not a model that was added"):
        remove_model(models, "tiny")
    assert (models / "tiny.safetensors").exists()


def test_a_folder_with_its_files_inside_may_be_copied_to_a_worker(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    save_onnx(models / "a.onnx")
    info = add_model(models, "gan", f"onnx:{models / 'a.onnx'}", AddRequest())
    moved = models.rename(tmp_path / "worker")
    there = Registry(moved).resolve("gan", info.digest)
    assert load_engine(there, engine="openvino", precision="auto", threads=1).generate([1], {}).any()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schema": "diptych.model/2"}, "schema: Input should be 'diptych.model/1'"),
        ({"family": "pgan"}, "family: Input should be"),
        ({"resolution": 1 << 20}, "resolution: Input should be less"),
        ({"files": {}}, "no files are pinned"),
        ({"files": {"a.onnx": "abc"}}, "files.a.onnx: String should match"),
        ({"command": "rm"}, "command: Extra inputs"),
    ],
)
def test_a_damaged_descriptor_is_refused(models: Path, change: dict[str, Any], complaint: str) -> None:
    path = models / "gan.model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CheckpointError, match=f"not a valid descriptor: .*{complaint}"):
        Registry(models).get("gan")


def test_a_file_that_is_no_descriptor_is_refused(models: Path) -> None:
    for content in (b"", b"[]", b"\x80\x04pickle", b"[" * 100_000):
        (models / "gan.model.json").write_bytes(content)
        with pytest.raises(CheckpointError, match="not a valid descriptor"):
            Registry(models).get("gan")


def test_a_descriptor_that_has_changed_since_is_not_generated_with(models: Path) -> None:
    info = Registry(models).get("gan")
    told = json.loads(info.path.read_text())
    told["options"]["range"] = "unit"
    info.path.write_text(json.dumps(told))
    with pytest.raises(DigestError, match=r"gan\.model\.json has changed"):
        load_engine(info, engine="openvino", precision="auto", threads=1)


def test_only_what_generates_is_in_the_digest(models: Path) -> None:
    before = Registry(models).get("gan")
    told = json.loads(before.path.read_text())
    before.path.write_text(
        json.dumps({**told, "licence": "CC0-1.0", "seconds_per_image": 9.0, "source": "/x"})
    )
    after = Registry(models).get("gan")
    assert (after.digest, after.licence) == (before.digest, "CC0-1.0")
    before.path.write_text(json.dumps({**told, "resolution": 16}))
    assert Registry(models).get("gan").digest != before.digest


def test_described_models_are_looked_up_without_a_runtime(models: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from model.registry import Registry;"
        "import model.families, model.engines.described;"
        "info = Registry(Path(sys.argv[1])).get('gan'); model.engines.described.check_described(info);"
        "print([name for name in ('openvino', 'torch', 'diffusers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(models)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    monkeypatch.delitem(sys.modules, "model.engines.diffusers", raising=False)
    with pytest.raises(EngineError, match=r"pip install -e '\.\[diffusers\]'"):
        add_model(tmp_path / "models", "art", f"diffusers:{tmp_path}", AddRequest())


def test_the_default_folder_is_the_users_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert user_model_dir() == Path("/data/diptych/models")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert user_model_dir() == Path("/home/ada/.local/share/diptych/models")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert user_model_dir() == Path("/home/ada/Library/Application Support/diptych/models")


def test_params_of_a_text_pipeline_get_their_normal_form() -> None:
    given = {
        "prompt": 1984,
        "steps": 20.0,
        "guidance": 3,
        "negative_prompt": None,
        "height": 64,
        "width": 128,
    }
    normal = {"prompt": "1984", "steps": 20, "guidance": 3.0, "height": 64, "width": 128}
    checked = validate_params("diffusers", given, TEXT)
    assert checked == normal
    assert [type(checked[name]) for name in ("prompt", "steps", "guidance")] == [str, int, float]
    assert validate_params("diffusers", checked, TEXT) == normal


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({}, "give --param prompt="),
        ({"prompt": None}, "give --param prompt="),
        ({"prompt": "x" * 2001}, "prompt has 2,001 characters"),
        ({"prompt": "a\0b"}, "prompt is not valid text"),
        ({"prompt": "\ud800"}, "prompt is not valid text"),
        ({"prompt": "x", "steps": 0}, r"steps must be an integer in 1\.\.1000, not 0"),
        ({"prompt": "x", "steps": 2.5}, "steps must be an integer"),
        ({"prompt": "x", "steps": True}, "steps must be an integer"),
        ({"prompt": "x", "steps": "many"}, "steps must be an integer"),
        ({"prompt": "x", "steps": 10**30}, "steps must be an integer"),
        ({"prompt": "x", "guidance": float("nan")}, r"guidance must be a number in 0\.\.100, not nan"),
        ({"prompt": "x", "guidance": -1}, "guidance must be a number"),
        ({"prompt": "x", "height": 64}, "give both height and width"),
        ({"prompt": "x", "height": 4096, "width": 64}, r"height must be an integer in 8\.\.2048"),
        ({"prompt": "x", "height": 100, "width": 64}, "height must be a multiple of 8"),
        ({"prompt": "x", "lora": "y"}, "unknown param lora: this model takes prompt"),
    ],
)
def test_params_of_a_text_pipeline_have_limits(params: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ParamsError, match=complaint):
        validate_params("diffusers", params, TEXT)


def test_an_onnx_generator_takes_no_params() -> None:
    assert validate_params("onnx", {}, ()) == {}
    with pytest.raises(ParamsError, match="takes no params, but got steps"):
        validate_params("onnx", {"steps": 3}, ())


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({f"p{number}": 1 for number in range(33)}, "33 params exceed the limit of 32"),
        ({"../x": 1}, "is not a valid param name"),
        ({"x": "y" * 2001}, "x has 2,001 characters"),
        ({"x": float("inf")}, "x must be a finite number"),
        ({"x": 2**63}, "x is outside"),
    ],
)
def test_params_of_an_own_engine_are_free_within_limits(params: dict[str, Any], complaint: str) -> None:
    assert validate_params("python", {"a": 1, "b": "c", "d": True, "e": None, "f": 0.5})["e"] is None
    with pytest.raises(ParamsError, match=complaint):
        validate_params("python", params)
