"""ONNX generators: found out about, generated, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.adding.add import add_model
from model.adding.request import AddRequest
from model.engines.load import load_engine
from model.engines.onnx_file import external_files
from model.errors import CheckpointError, DigestError, EngineError, FormError, ModelError
from model.protocol import Engine, LatentEngine
from model.registry import ModelInfo, Registry
from model.seeds import latents
from tests.support.builders.onnx_files import save_onnx

SEEDS = [3, 2**63 - 1, 12345, 7, 7]


def add(path: Path, **request: Any) -> ModelInfo:
    return add_model(path.parent / "models", "gan", f"onnx:{path}", AddRequest(**request))


def load(info: ModelInfo, threads: int = 1, precision: str = "auto") -> Engine:
    return load_engine(info, engine="openvino", precision=precision, threads=threads)


@pytest.mark.parametrize(
    ("activation", "scale", "value_range"), [("Tanh", 1.0, "signed"), ("Sigmoid", 1.0, "unit")]
)
@pytest.mark.parametrize(("image", "layout"), [((3, 8, 12), "nchw"), ((8, 12, 3), "nhwc")])
def test_the_image_is_the_models_output(
    tmp_path: Path, activation: str, scale: float, value_range: str, image: tuple[int, ...], layout: str
) -> None:
    path = tmp_path / "gan.onnx"
    matrix = save_onnx(path, activation=activation, scale=scale, image=image)
    info = add(path)
    assert (info.family, info.resolution, info.takes, info.parameters) == ("onnx", 12, (), matrix.size + 1)
    engine = load(info)
    assert (engine.name, engine.precision, engine.resolution) == ("openvino", "fp32", 12)

    product = latents(SEEDS, 6).astype(np.float64) @ matrix
    values = (np.tanh(product) + 1) / 2 if value_range == "signed" else 1 / (1 + np.exp(-product))
    expected = values.reshape(len(SEEDS), *image)
    expected = expected.transpose(0, 2, 3, 1) if layout == "nchw" else expected
    generated = engine.generate(SEEDS, {})
    assert generated.shape == (len(SEEDS), 8, 12, 3)
    assert generated.dtype == np.uint8
    assert np.abs(generated.astype(float) - expected * 255).max() <= 1


def test_bytes_are_passed_through(tmp_path: Path) -> None:
    path = tmp_path / "gan.onnx"
    matrix = save_onnx(path, activation="Sigmoid", scale=255.0, as_bytes=True, latent=(1, 6, 1, 1))
    product = latents([5], 6) @ matrix
    expected = (255 / (1 + np.exp(-product))).reshape(3, 8, 8).transpose(1, 2, 0)
    assert np.abs(load(add(path)).generate([5], {})[0] - expected).max() <= 1


def test_a_seed_gives_the_same_bytes_whatever_is_around_it(tmp_path: Path) -> None:
    path = tmp_path / "gan.onnx"
    save_onnx(path, image=(3, 16, 16))
    info = add(path)
    together = load(info, threads=3).generate(SEEDS, {})
    one = load(info)
    assert np.array_equal(together, np.stack([one.generate([seed], {})[0] for seed in SEEDS]))
    assert isinstance(one, LatentEngine)
    assert np.array_equal(one.generate_from_latents(latents(SEEDS, 6)), together)
    assert not np.array_equal(together[0], together[1])


def test_the_range_may_be_said(tmp_path: Path) -> None:
    path = tmp_path / "gan.onnx"
    save_onnx(path, activation="Sigmoid", scale=255.0)
    with pytest.raises(FormError, match=r"its values range from .* range=signed"):
        add(path)
    told = add(path, options={"range": "byte"})
    assert load(told).generate([1], {}).max() > 200


def test_an_open_latent_length_must_be_said(tmp_path: Path) -> None:
    path = tmp_path / "gan.onnx"
    save_onnx(path, latent=("n", "z"))
    with pytest.raises(CheckpointError, match="--option latent="):
        add(path)
    assert load(add(path, options={"latent": 6})).generate([1], {}).shape == (1, 8, 8, 3)


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        ({"latent": ("n", 6, 4, 4)}, "its input is .* not float latents"),
        ({"latent": (4, 6)}, "its batch is fixed at 4"),
        ({"image": (1, 8, 8)}, r"its output is \[1, ?1, ?8, ?8\]"),
        ({"image": (3, 8)}, "its output is"),
        ({"image": (3, 2, 2)}, "it generates 2 px"),
        ({"activation": "Log"}, "not finite"),
        ({"outputs": 2}, "1 inputs and 2 outputs"),
        ({"external": "weights.bin"}, r"weights are in other files \(weights.bin\)"),
    ],
)
def test_what_is_no_generator_is_refused(tmp_path: Path, file: dict[str, Any], complaint: str) -> None:
    path = tmp_path / "gan.onnx"
    save_onnx(path, **file)
    with pytest.raises(CheckpointError, match=complaint):
        add(path)
    assert "gan" not in Registry(tmp_path / "models").names()


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04\x95pickle", b"PK\x03\x04zip", b"\x3a\xff\xff"])
def test_what_is_not_onnx_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gan.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"gan\.onnx: not an ONNX file, or truncated"):
        add(path)


def test_a_file_cut_short_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "gan.onnx"
    save_onnx(path)
    whole = path.read_bytes()
    assert external_files(whole, path.name) == []
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError):
            add(path)


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        ({"options": {"range": "wide"}}, "range must be one of signed, unit, byte"),
        ({"options": {"layout": 3}}, "layout must be one of"),
        ({"options": {"latent": 7}}, "latents have length 6, not 7"),
        ({"options": {"latent": "six"}}, "latent must be an integer"),
        ({"options": {"scale": 2}}, "unknown option scale; known options: range, layout, latent"),
        ({"resolution": 64}, "it generates 8 px, not 64"),
        ({"resolution": 10**9}, "outside 4..4096"),
        ({"licence": ""}, "licence: String should have at least 1"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, request_: dict[str, Any], complaint: str) -> None:
    path = tmp_path / "gan.onnx"
    save_onnx(path)
    with pytest.raises(ModelError, match=complaint):
        add(path, **request_)


def test_a_changed_file_is_not_generated_with(tmp_path: Path) -> None:
    path = tmp_path / "gan.onnx"
    save_onnx(path)
    info = add(path)
    save_onnx(path, seed=1)
    with pytest.raises(DigestError, match=r"gan\.onnx has changed since the model was added"):
        load(info)
    path.unlink()
    with pytest.raises(CheckpointError, match="the file or folder is missing"):
        load(info)


def test_a_precision_that_it_lacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gan.onnx"
    save_onnx(path)
    with pytest.raises(EngineError, match="does not run in int8"):
        load(add(path), precision="int8")
