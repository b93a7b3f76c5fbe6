"""A user's own engine: registered by its factory, watched at its edges."""

from __future__ import annotations

import itertools
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.adding.add import add_model
from model.adding.request import AddRequest
from model.engines.load import load_engine
from model.errors import DigestError, EngineError, FormError, GenerationError
from model.protocol import Engine
from model.registry import ModelInfo
from tests.support.builders import own_engines

_numbers = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of its own with the factories in a module; Python keeps what it has imported by name."""
    package = f"own_{next(_numbers)}"
    folder = tmp_path / "code" / package
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    shutil.copy(own_engines.__file__, folder / "art.py")
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    return f"{package}.art"


def source_file(tmp_path: Path, module: str) -> Path:
    return tmp_path / "code" / f"{module.replace('.', '/')}.py"


def add(tmp_path: Path, source: str, name: str = "own", **request: Any) -> ModelInfo:
    return add_model(tmp_path / "models", name, f"python:{source}", AddRequest(**request))


def load(info: ModelInfo) -> Engine:
    return load_engine(info, engine="openvino", precision="auto", threads=2)


def test_a_factory_gets_the_operators_options_and_the_workers_threads(tmp_path: Path, module: str) -> None:
    info = add(tmp_path, f"{module}:good", options={"side": 16}, seconds_per_image=0.25)
    assert (info.family, info.resolution, info.takes, info.seconds_per_image) == ("python", 16, None, 0.25)
    engine = load(info)
    assert (engine.name, engine.threads, engine.resolution) == ("stripes", 2, 16)
    generated = engine.generate([3, 5], {"brightness": 2})
    assert generated.shape == (2, 16, 16, 3)
    assert (generated[1] == 10).all()
    assert add(tmp_path, f"{module}:good", name="other", options={"side": 32}).digest != info.digest


@pytest.mark.parametrize(
    ("factory", "complaint"),
    [
        ("no_engine", "returned dict, not an Engine: it has no generate"),
        ("nameless", "its name must be text"),
        ("odd_precision", "precision must be one of fp32, bf16, int8"),
        ("huge", r"its resolution must be an integer in 4\.\.4096"),
        ("broken", "failed: ZeroDivisionError: on purpose"),
        ("fewer_arguments", "failed: TypeError: .* unexpected keyword argument"),
        ("constant", "has no factory constant"),
        ("missing", "has no factory missing"),
    ],
)
def test_a_factory_of_no_engine_is_refused(tmp_path: Path, module: str, factory: str, complaint: str) -> None:
    with pytest.raises(EngineError, match=complaint):
        add(tmp_path, f"{module}:{factory}")
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("nowhere.at_all:make", "module nowhere.at_all not found"),
        ("sys:exit", "has no source file"),
        ("json.nothing:make", r"module json\.nothing not found"),
    ],
)
def test_a_module_that_is_not_there_is_named(tmp_path: Path, source: str, complaint: str) -> None:
    with pytest.raises(EngineError, match=complaint):
        add(tmp_path, source)


def test_an_error_while_importing_is_told(tmp_path: Path, module: str) -> None:
    source_file(tmp_path, module).write_text("import not_installed_anywhere\n")
    with pytest.raises(
        EngineError, match="cannot be imported: ModuleNotFoundError: No module named 'not_inst"
    ):
        add(tmp_path, f"{module}:good")


def test_changed_code_does_not_generate(tmp_path: Path, module: str) -> None:
    info = add(tmp_path, f"{module}:good")
    path = source_file(tmp_path, module)
    path.write_text(path.read_text() + "# changed\n")
    with pytest.raises(DigestError, match=r"art\.py has changed since the model was added"):
        load(info)
    sys.modules.pop(module)
    path.unlink()
    with pytest.raises(EngineError, match="module own_"):
        load(info)


def test_what_an_engine_raises_and_returns_is_checked(tmp_path: Path, module: str) -> None:
    engine = load(add(tmp_path, f"{module}:good"))
    with pytest.raises(GenerationError, match="failed: KeyError: 'no such colour'"):
        engine.generate([1], {"fail": True})
    with pytest.raises(GenerationError, match=r"returned float32 \(1, 8, 8, 3\), not uint8 \[1, H, W, 3\]"):
        engine.generate([1], {"floats": True})
    with pytest.raises(MemoryError):
        engine.generate([1], {"hungry": True})
    assert np.array_equal(engine.generate([1], {})[0], engine.generate([2, 1], {})[1])


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        ({"resolution": 64}, "generates 8 px, not 64"),
        ({"options": {"side": None}}, "must be text, a number, true or false"),
        ({"options": {"x": float("inf")}}, "must be text, a number"),
        ({"options": {"x": "y" * 2001}}, "too long"),
        ({"options": {str(number): 1 for number in range(65)}}, "65 options exceed the limit of 64"),
    ],
)
def test_wrong_options_are_refused(
    tmp_path: Path, module: str, request_: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(FormError, match=complaint):
        add(tmp_path, f"{module}:good", **request_)
