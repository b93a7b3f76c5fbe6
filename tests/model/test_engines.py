"""Both engines on a small random generator: equal bytes whatever is around, damage found first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.engines.isa import instruction_set
from model.engines.load import load_engine
from model.errors import CheckpointError, DigestError, EngineError
from model.protocol import Engine
from model.registry import ModelInfo, Registry
from model.seeds import image_seed
from tests.support.builders.random_checkpoints import save_random
from tests.support.waiting import LIMIT_S

SEEDS = [image_seed(7, index) for index in range(8)]


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> ModelInfo:
    folder = tmp_path_factory.mktemp("models")
    save_random(folder / "tiny.safetensors")
    return Registry(folder).get("tiny")


@pytest.fixture(scope="module")
def load(info: ModelInfo) -> Callable[..., Engine]:
    def _load(engine: str = "openvino", precision: str = "fp32", threads: int = 1) -> Engine:
        return load_engine(info, engine=engine, precision=precision, threads=threads)

    return _load


def test_engines_say_what_they_are(load: Callable[..., Engine]) -> None:
    for name in ("openvino", "torch"):
        engine = load(name)
        assert (engine.name, engine.precision, engine.threads, engine.resolution) == (name, "fp32", 1, 32)
        assert engine.version[0].isdigit()
        assert engine.isa


@pytest.mark.parametrize("name", ["openvino", "torch"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_seed_gives_the_same_bytes_whatever_is_around_it(
    load: Callable[..., Engine], name: str, threads: int
) -> None:
    expected = dict(zip(SEEDS, load(name).generate(SEEDS, {}), strict=True))
    assert len({image.tobytes() for image in expected.values()}) == len(SEEDS)
    engine = load(name, threads=threads)
    for seeds in (SEEDS, SEEDS[:1], SEEDS[2:5], SEEDS[::-1], [SEEDS[3], SEEDS[3], SEEDS[0]]):
        images = engine.generate(seeds, {})
        assert images.shape == (len(seeds), 32, 32, 3)
        assert images.dtype == np.uint8
        for seed, image in zip(seeds, images, strict=True):
            assert np.array_equal(image, expected[seed])


def test_no_seeds_give_no_images(load: Callable[..., Engine]) -> None:
    for name in ("openvino", "torch"):
        assert load(name).generate([], {}).shape == (0, 32, 32, 3)


def test_openvino_generates_what_the_reference_generates(load: Callable[..., Engine]) -> None:
    reference, images = (load(name).generate(SEEDS, {}).astype(int) for name in ("torch", "openvino"))
    assert reference.std() > 30, "the test's model generates no contrast"
    assert np.abs(images - reference).max() <= 1
    assert np.mean(images != reference) < 0.001


def test_a_generator_of_one_level_generates(tmp_path: Path) -> None:
    save_random(tmp_path / "dot.safetensors", resolution=4, channels=(8,))
    info = Registry(tmp_path).get("dot")
    images = [
        load_engine(info, engine=name, precision="fp32", threads=1).generate(SEEDS, {}).astype(int)
        for name in ("openvino", "torch")
    ]
    assert images[0].shape == (8, 4, 4, 3)
    assert np.abs(images[0] - images[1]).max() <= 1


def test_what_cannot_be_loaded_is_named(load: Callable[..., Engine]) -> None:
    for wrong in (
        {"engine": "abacus"},
        {"precision": "fp8"},
        {"threads": 0},
        {"engine": "torch", "precision": "int8"},
    ):
        with pytest.raises(EngineError, match=r"abacus|fp8|at least 1|int8"):
            load(**wrong)


def test_a_checkpoint_that_changed_since_it_was_looked_up_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    save_random(path)
    info = Registry(tmp_path).get("tiny")
    save_random(path, seed=1)
    with pytest.raises(DigestError, match="has changed"):
        load_engine(info, engine="openvino", precision="fp32", threads=1)


def test_a_flipped_bit_is_found_before_anything_is_generated(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    save_random(path)
    content = bytearray(path.read_bytes())
    content[-100] ^= 4
    path.write_bytes(content)
    info = Registry(tmp_path).get("tiny")
    with pytest.raises(CheckpointError, match="damaged"):
        load_engine(info, engine="openvino", precision="fp32", threads=1)


def test_a_checkpoint_that_vanished_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    save_random(path)
    info = Registry(tmp_path).get("tiny")
    path.unlink()
    with pytest.raises(CheckpointError, match=r"tiny\.safetensors: cannot be read: No such file"):
        load_engine(info, engine="openvino", precision="fp32", threads=1)


AVX512 = frozenset({"sse4_1", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx512dq"})


@pytest.mark.parametrize(
    ("flags", "cap", "expected"),
    [
        (AVX512, "", "avx512_core"),
        (AVX512 | {"avx512_vnni"}, "", "avx512_core_vnni"),
        (AVX512 | {"avx512_vnni", "avx512_bf16"}, "", "avx512_core_bf16"),
        (AVX512 | {"avx512_vnni", "avx512_bf16"}, "AVX2", "avx2"),
        (AVX512 | {"avx512_vnni", "avx512_bf16"}, "AVX512_CORE", "avx512_core"),
        (AVX512 | {"avx512_bf16"}, "ALL", "avx512_core_bf16"),
        (frozenset({"sse4_1", "avx", "avx2", "fma"}), "AVX512_CORE", "avx2"),
    ],
)
def test_the_instruction_set_is_told_from_flags_and_cap(
    flags: frozenset[str], cap: str, expected: str
) -> None:
    assert instruction_set(flags, cap) == expected


def test_serving_imports_no_converter_and_no_usage_statistics() -> None:
    code = (
        "import sys; from model.engines.openvino_import import import_openvino; ov = import_openvino();"
        "unwanted = ('openvino.tools', 'openvino_telemetry');"
        "assert ov.Core; bad = [name for name in sys.modules if name.startswith(unwanted)];"
        "assert not bad, bad; import openvino.tools.ovc"  # whoever wants the converter still gets it
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=LIMIT_S)
