"""Diffusion pipelines, tiny and real: the library's own code generates them."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from model.adding.add import add_model
from model.adding.request import AddRequest
from model.descriptor import read_descriptor
from model.engines.load import load_engine
from model.errors import CheckpointError, DigestError, EngineError, FormError, ModelError, ParamsError
from model.families import Params, validate_params
from model.protocol import Engine
from model.registry import ModelInfo, Registry
from tests.support.builders.pipelines import SIDE, need_diffusers, save_plain_pipeline, save_text_pipeline

SEEDS = [3, 2**63 - 1, 12345]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_diffusers()
    return save_text_pipeline(tmp_path_factory.mktemp("text") / "pipeline")


@pytest.fixture
def plain_folder(tmp_path: Path) -> Path:
    need_diffusers()
    return save_plain_pipeline(tmp_path / "plain")


def add(models: Path, source: object, name: str = "art", **request: Any) -> ModelInfo:
    return add_model(models, name, f"diffusers:{source}", AddRequest(**request))


def load(info: ModelInfo, threads: int = 1, precision: str = "auto") -> Engine:
    return load_engine(info, engine="openvino", precision=precision, threads=threads)


def test_a_text_pipeline_generates_what_the_library_generates(text_folder: Path, tmp_path: Path) -> None:
    import diffusers

    from model.engines.diffusers import image_stream

    info = add(tmp_path, text_folder, options={"steps": 3}, licence="CC0-1.0")
    assert (info.family, info.resolution, info.licence) == ("diffusers", SIDE, "CC0-1.0")
    assert info.takes == ("prompt", "negative_prompt", "steps", "guidance", "height", "width")
    assert info.parameters > 10_000
    engine = load(info)
    assert (engine.name, engine.precision, engine.resolution) == ("diffusers", "fp32", SIDE)
    params: Params = {"prompt": "a cat", "negative_prompt": "dog", "guidance": 4.0}
    generated = engine.generate(SEEDS, params)

    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(text_folder, low_cpu_mem_usage=False)
    expected = pipeline(
        "a cat",
        negative_prompt="dog",
        guidance_scale=4.0,
        num_inference_steps=3,
        generator=image_stream(SEEDS[1]),
        output_type="np",
    ).images
    assert np.abs(generated[1].astype(float) - expected[0] * 255).max() <= 1
    others: list[Params] = [{"prompt": "a dog"}, {"steps": 2}, {"guidance": 9.0}, {"negative_prompt": "cat"}]
    for other in others:
        assert not np.array_equal(engine.generate([3], {**params, **other})[0], generated[0]), other
    assert engine.generate([3], {**params, "height": 24, "width": 32}).shape == (1, 24, 32, 3)


def test_a_seed_gives_the_same_bytes_whatever_is_around_it(text_folder: Path, tmp_path: Path) -> None:
    info = add(tmp_path, text_folder, options={"steps": 2})
    params = {"prompt": "a bird"}
    together = load(info, threads=2).generate(SEEDS, params)
    one = load(info)
    alone = [one.generate([seed], params)[0] for seed in reversed(SEEDS)]
    assert np.array_equal(together, np.stack(alone[::-1]))
    assert not np.array_equal(together[0], together[1])


def test_threads_share_weights_and_nothing_that_keeps_state(text_folder: Path, tmp_path: Path) -> None:
    """A fast tokenizer keeps how it pads: a shared one gave a prompt another thread's padding at times."""
    from model.engines.diffusers import DiffusersEngine

    engine = load(add(tmp_path, text_folder), threads=2)
    assert isinstance(engine, DiffusersEngine)
    first, second = (lane.components for lane in engine._lanes)
    shared = {name for name, part in first.items() if part is not None and part is second[name]}
    assert shared == {"vae", "text_encoder", "unet"}


def test_an_unconditional_pipeline_takes_steps_alone(plain_folder: Path, tmp_path: Path) -> None:
    info = add(tmp_path / "models", plain_folder)
    assert (info.takes, info.resolution) == (("steps",), SIDE)
    engine = load(info)
    generated = engine.generate(SEEDS, {"steps": 2})
    assert generated.shape == (len(SEEDS), SIDE, SIDE, 3)
    assert np.array_equal(generated[2], engine.generate(SEEDS[2:], {"steps": 2})[0])
    with pytest.raises(ParamsError, match="unknown param prompt: this model takes steps"):
        validate_params(info.family, {"prompt": "a cat"}, info.takes)


def test_all_63_bits_of_a_seed_count() -> None:
    need_diffusers()
    import torch

    from model.engines.diffusers import image_stream

    low, high = image_stream(5), image_stream(5 + 2**40)
    assert not torch.equal(torch.randn(4, generator=low), torch.randn(4, generator=high))
    # The very stream that numpy keeps for ever: both are the Mersenne Twister.
    drawn = torch.rand(2000, generator=image_stream(5 + 2**40)).numpy()
    words = np.frombuffer(np.random.RandomState([5, 2**8]).bytes(8000), dtype="<u4")
    assert np.array_equal(drawn, (words % 2**24).astype(np.float32) / 2**24)


def test_the_digest_is_that_of_the_files_wherever_they_lie(plain_folder: Path, tmp_path: Path) -> None:
    first = add(tmp_path / "models", plain_folder)
    moved = plain_folder.rename(tmp_path / "elsewhere")
    (moved / ".git").mkdir()
    (moved / ".git" / "HEAD").write_text("no part of the model")
    assert add(tmp_path / "other", moved, name="art2", licence="MIT").digest == first.digest
    assert add(tmp_path / "third", moved, options={"steps": 7}).digest != first.digest
    save_plain_pipeline(moved, seed=1)
    assert add(tmp_path / "fourth", moved).digest != first.digest


def test_a_changed_folder_is_not_generated_with(plain_folder: Path, tmp_path: Path) -> None:
    info = add(tmp_path / "models", plain_folder)
    (plain_folder / "unet" / "extra.py").write_text("print('hello')")
    with pytest.raises(DigestError, match=r"unet/extra\.py is new since the model was added"):
        load(info)
    (plain_folder / "unet" / "extra.py").unlink()
    (plain_folder / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(DigestError, match=r"scheduler_config\.json is missing"):
        load(info)


def test_a_downloaded_model_of_the_hub_is_pinned_by_its_commit(
    plain_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for source, complaint in (
        ("some/art", "revision main is not in the cache"),
        ("some/art@v1", "revision v1 is not in the cache"),
        (f"some/art@{COMMIT}", f"hf download some/art --revision {COMMIT}"),
    ):
        with pytest.raises(FormError, match=complaint):
            add(tmp_path / "models", source)
    cached = tmp_path / "hub" / "models--some--art"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(COMMIT)
    (cached / "snapshots").mkdir()
    plain_folder.rename(cached / "snapshots" / COMMIT)
    info = add(tmp_path / "models", "some/art")
    assert add(tmp_path / "models", f"some/art@{COMMIT}", name="same").digest == info.digest
    assert load(info).generate([1], {"steps": 1}).shape == (1, SIDE, SIDE, 3)
    cached.rename(tmp_path / "gone")
    with pytest.raises(CheckpointError, match="hf download some/art --revision"):
        load(info)


def _no_index(folder: Path) -> None:
    (folder / "model_index.json").unlink()


def _damaged_index(folder: Path) -> None:
    (folder / "model_index.json").write_text("{")


def _other_class(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        _edit(folder, _class_name=name)

    return change


def _edit(folder: Path, **changes: Any) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _foreign_code(folder: Path) -> None:
    _edit(folder, unet=["os", "system"])


def _code_in_the_folder(folder: Path) -> None:
    (folder / "unet" / "diffusers.py").write_text("raise SystemExit")


def _pickled_weights(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps({}))


def _cut_weights(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_no_index, r"no model_index\.json"),
        (_damaged_index, r"model_index\.json is damaged"),
        (_other_class("Nonsense"), "has no pipeline Nonsense"),
        (_other_class("AutoencoderKL"), "has no pipeline AutoencoderKL"),
        (_other_class("StableDiffusionImg2ImgPipeline"), r"is not a text-to-image .* \(it takes image\)"),
        (_other_class("DiTPipeline"), r"it takes class_labels"),
        (_foreign_code, "refused: its unet would run code of os"),
        (_code_in_the_folder, "refused: its unet would run code of diffusers"),
        (_pickled_weights, "no safetensors weights found; other formats are not loaded"),
        (_cut_weights, "not a valid safetensors file"),
    ],
)
def test_what_is_no_sound_pipeline_is_refused(
    plain_folder: Path, tmp_path: Path, spoil: Callable[[Path], None], complaint: str
) -> None:
    spoil(plain_folder)
    with pytest.raises(CheckpointError, match=complaint):
        add(tmp_path / "models", plain_folder)
    assert "art" not in Registry(tmp_path / "models").names()


def test_a_pipeline_whose_weights_are_partly_pickled_is_refused(text_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "partly"
    shutil.copytree(text_folder, folder)
    (folder / "vae" / "diffusion_pytorch_model.safetensors").rename(
        folder / "vae" / "diffusion_pytorch_model.bin"
    )
    complaint = (
        r"vae/diffusion_pytorch_model\.bin: no safetensors weights found; other formats are not loaded"
    )
    with pytest.raises(CheckpointError, match=complaint):
        add(tmp_path / "models", folder)
    (folder / "vae" / "diffusion_pytorch_model.bin").unlink()
    with pytest.raises(CheckpointError, match="vae/: no safetensors weights found"):
        add(tmp_path / "models", folder)


@pytest.mark.parametrize("shard", ["", "-00001-of-00001"])
def test_a_folder_of_one_variant_alone_is_found(plain_folder: Path, tmp_path: Path, shard: str) -> None:
    plain = add(tmp_path / "models", plain_folder, name="plain")
    generated = load(plain).generate([1], {"steps": 2})
    weights = plain_folder / "unet" / "diffusion_pytorch_model.safetensors"
    halves = weights.rename(weights.with_name(f"diffusion_pytorch_model.fp16{shard}.safetensors"))
    if shard:
        with safe_open(halves, "np") as file:
            names = dict.fromkeys(file.keys(), halves.name)
        listed = {"metadata": {"total_size": halves.stat().st_size}, "weight_map": names}
        index = weights.with_name("diffusion_pytorch_model.safetensors.index.fp16.json")
        index.write_text(json.dumps(listed))
    info = add(tmp_path / "models", plain_folder)
    assert info.parameters == plain.parameters
    assert read_descriptor(info.path).options == {"variant": "fp16"}
    assert np.array_equal(load(info).generate([1], {"steps": 2}), generated)


def test_weights_that_do_not_fit_are_refused_when_they_load(plain_folder: Path, tmp_path: Path) -> None:
    config = plain_folder / "unet" / "config.json"
    told = json.loads(config.read_text())
    config.write_text(json.dumps({**told, "block_out_channels": [16, 16]}))
    with pytest.raises(CheckpointError, match="plain: the pipeline cannot be loaded"):
        load(add(tmp_path / "models", plain_folder))


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        ({"options": {"prompt": "a cat"}}, "unknown option prompt; known options: steps, guidance, variant"),
        ({"options": {"steps": 0}}, r"steps must be an integer in 1\.\.1000"),
        ({"options": {"guidance": 3}}, "unknown param guidance"),
        ({"options": {"variant": "../x"}}, "option variant must be"),
        ({"options": {"variant": "fp16"}}, "no safetensors weights of variant fp16"),
        ({"resolution": 3}, "outside 4..4096"),
    ],
)
def test_wrong_options_are_refused(
    plain_folder: Path, tmp_path: Path, request_: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ModelError, match=complaint):
        add(tmp_path / "models", plain_folder, **request_)


def test_a_precision_that_a_cpu_lacks_is_refused(plain_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="does not run in int8"):
        load(add(tmp_path / "models", plain_folder), precision="int8")
