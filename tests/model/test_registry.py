"""The registry, on real files."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from model.calibration import Calibration, load_calibrations, save_calibration
from model.errors import CheckpointError, DigestError, ParamsError, UnknownModelError
from model.families import validate_params
from model.registry import Registry, file_digest
from tests.support.builders.random_checkpoints import save_random


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    models = tmp_path / "models"
    models.mkdir()
    save_random(models / "tiny.safetensors")
    return models


def registry(folder: Path) -> Registry:
    return Registry(folder, calibrations=folder.parent / "calibration.json")


def test_shipped_and_own_models_are_listed(folder: Path) -> None:
    assert registry(folder).names() == sorted({*Registry().names(), "tiny"})
    assert "faces-64" in registry(folder).names()


def test_info_comes_from_the_header(folder: Path) -> None:
    info = registry(folder).get("tiny")
    assert (info.family, info.resolution, info.seconds_per_image) == ("pgan", 32, 0.5)
    assert info.digest == f"sha256:{hashlib.sha256(info.path.read_bytes()).hexdigest()}"
    assert info.parameters > 1000
    assert info.licence == "Apache-2.0"


@pytest.mark.parametrize(
    "name", ["../tiny", "/etc/passwd", "https://example.org/x", "Tiny", "", "a" * 64, "tiny\n"]
)
def test_names_that_are_paths_or_urls_are_refused(folder: Path, name: str) -> None:
    with pytest.raises(UnknownModelError, match="is not a model name"):
        registry(folder).get(name)


def test_an_unknown_model_lists_those_there_are(folder: Path) -> None:
    with pytest.raises(UnknownModelError, match=r"unknown model tinny; known models: .*tiny"):
        registry(folder).get("tinny")


def test_files_with_other_names_are_no_models(folder: Path) -> None:
    save_random(folder / "ok.safetensors")
    (folder / "ok.safetensors").rename(folder / "Not A Model.safetensors")
    assert "Not A Model" not in registry(folder).names()


def test_resolve_wants_the_very_checkpoint(folder: Path) -> None:
    models = registry(folder)
    digest = models.get("tiny").digest
    assert models.resolve("tiny", digest).digest == digest
    with pytest.raises(DigestError, match="but the job needs sha256:000000000000"):
        models.resolve("tiny", "sha256:" + "0" * 64)


def test_an_own_model_beats_the_shipped_one_of_its_name(folder: Path) -> None:
    digest = save_random(folder / "faces-64.safetensors")
    assert registry(folder).get("faces-64").digest == digest


def test_a_changed_file_is_hashed_again(folder: Path) -> None:
    path = folder / "tiny.safetensors"
    before = file_digest(path)
    save_random(path, seed=1)
    assert file_digest(path) != before


def test_a_pickle_is_refused(folder: Path) -> None:
    (folder / "evil.safetensors").write_bytes(b"\x80\x04\x95" + b"\0" * 100)
    with pytest.raises(CheckpointError, match="pickled"):
        registry(folder).get("evil")


def test_a_calibration_replaces_the_nominal_time(folder: Path) -> None:
    models = registry(folder)
    digest = models.get("tiny").digest
    file = folder.parent / "calibration.json"
    save_calibration(file, Calibration(digest, 0.125, "openvino", "fp32", "avx2", 8))
    save_calibration(file, Calibration("sha256:" + "0" * 64, 9.0, "openvino", "fp32", "avx2", 8))
    assert models.get("tiny").seconds_per_image == 0.125
    assert len(load_calibrations(file)) == 2


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"calibrations": [{"digest": "x"}]}', json.dumps({"calibrations": [1]})],
)
def test_a_damaged_calibration_file_is_an_empty_one(tmp_path: Path, content: str) -> None:
    file = tmp_path / "calibration.json"
    file.write_text(content)
    assert load_calibrations(file) == {}


def test_a_nonsense_time_is_not_used(folder: Path) -> None:
    models = registry(folder)
    file = folder.parent / "calibration.json"
    save_calibration(file, Calibration(models.get("tiny").digest, -1.0, "openvino", "fp32", "avx2", 8))
    assert models.get("tiny").seconds_per_image == 0.5


def test_a_pgan_takes_no_params() -> None:
    assert validate_params("pgan", {}) == {}
    with pytest.raises(ParamsError, match="takes no params, but got steps"):
        validate_params("pgan", {"steps": 3})
    with pytest.raises(UnknownModelError, match="unknown model family diffusion"):
        validate_params("diffusion", {})


def test_the_registry_imports_no_runtime() -> None:
    code = (
        "import sys; from model.registry import Registry; Registry().get('faces-64');"
        "print([name for name in ('numpy', 'openvino', 'torch', 'safetensors') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
