"""Which precision runs: the CPU's word, the checkpoint's, and what int8 and bf16 then generate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from diptych.cli import main
from model.checkpoint import load_checkpoint, read_tensors, save_checkpoint
from model.engines.isa import instruction_set
from model.engines.load import load_engine
from model.engines.measure_precision import choose_range
from model.engines.precision import choose_precision, runs_bf16, runs_int8
from model.errors import EngineError
from model.precision_gate import ActivationRange, PrecisionFigures, PrecisionGate
from model.registry import ModelInfo, Registry
from model.seeds import image_seed
from tests.support import missing
from tests.support.builders.random_checkpoints import save_random

SEEDS = [image_seed(11, index) for index in range(6)]
LAYERS = {"blocks.1.conv1": ActivationRange(low=-0.1, high=0.5, exponents=(0, 1))}
needs_int8 = pytest.mark.skipif(not runs_int8(instruction_set()), reason=missing.AVX512_VNNI)
needs_bf16 = pytest.mark.skipif(not runs_bf16(instruction_set()), reason=missing.AVX512_BF16)


def gate(**figures: tuple[float, float]) -> PrecisionGate:
    precisions = {
        name: PrecisionFigures(psnr_min_db=psnr, psnr_mean_db=psnr + 2, relative_time=relative)
        for name, (psnr, relative) in figures.items()
    }
    return PrecisionGate(seeds=8, engine="openvino 1", isa="x", precisions=precisions, int8_layers=LAYERS)


BOTH = gate(bf16=(50, 0.5), int8=(41, 0.4))


@pytest.mark.parametrize(
    ("asked", "measured", "isa", "expected"),
    [
        ("auto", None, "avx512_core_bf16", "fp32"),
        ("auto", BOTH, "avx512_core_bf16", "int8"),
        ("auto", BOTH, "avx512_core_amx", "int8"),
        ("auto", BOTH, "avx512_core_vnni", "int8"),
        ("auto", BOTH, "avx512_core", "fp32"),
        ("auto", BOTH, "avx2", "fp32"),
        ("auto", BOTH, "aarch64", "fp32"),
        ("auto", gate(bf16=(50, 0.5), int8=(39.9, 0.4)), "avx512_core_bf16", "bf16"),
        ("auto", gate(bf16=(50, 0.5), int8=(41, 0.6)), "avx512_core_bf16", "bf16"),
        ("auto", gate(bf16=(50, 1.2), int8=(41, 1.1)), "avx512_core_bf16", "fp32"),
        ("auto", gate(bf16=(50, 0.5)), "avx512_core_vnni", "fp32"),
        ("fp32", BOTH, "avx512_core_bf16", "fp32"),
        ("bf16", None, "avx512_core_bf16", "bf16"),
        ("int8", gate(int8=(20, 2)), "avx512_core_vnni", "int8"),
    ],
)
def test_the_fastest_precision_that_cpu_and_checkpoint_bear(
    asked: str, measured: PrecisionGate | None, isa: str, expected: str
) -> None:
    assert choose_precision(asked, measured, isa) == expected


@pytest.mark.parametrize(
    ("asked", "measured", "isa", "complaint"),
    [
        ("bf16", BOTH, "avx512_core_vnni", "bf16 needs"),
        ("bf16", BOTH, "avx2", "this one is avx2"),
        ("int8", BOTH, "avx512_core", "int8 needs"),
        ("int8", None, "avx512_core_vnni", "no int8 figures"),
    ],
)
def test_a_precision_asked_for_by_name_that_cannot_run_is_refused(
    asked: str, measured: PrecisionGate | None, isa: str, complaint: str
) -> None:
    with pytest.raises(EngineError, match=complaint):
        choose_precision(asked, measured, isa)


def test_figures_of_int8_without_layers_are_refused() -> None:
    figures = PrecisionFigures(psnr_min_db=41, psnr_mean_db=42, relative_time=0.4)
    with pytest.raises(ValidationError, match="no layer runs in it"):
        PrecisionGate(seeds=8, engine="openvino 1", isa="x", precisions={"int8": figures})


def test_reach_is_shared_between_activations_and_kernel() -> None:
    low, high = np.array([-0.1, -0.2, 0.0], "f4"), np.array([0.4, 6.4, 0.4], "f4")
    chosen = choose_range(low, high, np.array([1, 1, 16], "f4"))
    # 16 times the reach is shared equally: a divisor of 4, which is 8 quarters of a power of two.
    assert chosen.exponents == (0, 8, -8)
    assert chosen.high == pytest.approx(0.9 * 6.4 / 4)
    assert chosen.low == pytest.approx(-0.9 * 0.1)


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> ModelInfo:
    """A small random model after `diptych model gate`, where this CPU can measure one."""
    folder = tmp_path_factory.mktemp("models")
    path = folder / "tiny.safetensors"
    before = save_random(path, channels=(32, 32, 32, 32))
    if not runs_int8(instruction_set()):
        return Registry(folder).get("tiny")
    result = CliRunner().invoke(main, ["model", "gate", str(path), "--seeds", "24"])
    assert result.exit_code == 0, result.output
    info = Registry(folder).get("tiny")
    assert info.digest != before
    assert f"{path} {info.digest}" in result.stdout
    assert "auto selects" in result.stdout
    return info


@needs_int8
def test_the_gate_finds_layers_for_int8_and_keeps_the_weights(gated: ModelInfo, tmp_path: Path) -> None:
    weights, config = load_checkpoint(gated.path)
    assert config.gate is not None
    assert config.gate.seeds == 24
    names = list(config.gate.int8_layers)
    assert names[-1] == "blocks.3.conv1"
    assert config.gate.precisions["int8"].psnr_min_db >= 40
    save_random(tmp_path / "tiny.safetensors", channels=(32, 32, 32, 32))
    unmeasured, _ = load_checkpoint(tmp_path / "tiny.safetensors")
    for name, value in unmeasured.items():
        assert np.array_equal(weights[name], value)


@needs_int8
def test_the_gate_keeps_float32_weights(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    save_random(path)
    weights, config = load_checkpoint(path)
    exact = {name: value + np.float32(1e-7) for name, value in weights.items()}
    save_checkpoint(path, exact, config, half=False)
    assert CliRunner().invoke(main, ["model", "gate", str(path), "--seeds", "8"]).exit_code == 0
    kept, _ = read_tensors(path)
    assert all(np.array_equal(kept[name], value) for name, value in exact.items())


@pytest.mark.parametrize(
    ("precision", "least_db"),
    [pytest.param("bf16", 40, marks=needs_bf16), pytest.param("int8", 38, marks=needs_int8)],
)
def test_low_precisions_are_near_fp32_and_the_same_whatever_is_around(
    gated: ModelInfo, precision: str, least_db: float
) -> None:
    reference = load_engine(gated, engine="openvino", precision="fp32", threads=1).generate(SEEDS, {})
    engine = load_engine(gated, engine="openvino", precision=precision, threads=1)
    assert engine.precision == precision
    images = engine.generate(SEEDS, {})
    error = np.mean((images.astype(float) - reference) ** 2, axis=(1, 2, 3))
    assert error.min() > 0, "that precision was not really used"
    assert (10 * np.log10(255**2 / error)).min() > least_db
    wide = load_engine(gated, engine="openvino", precision=precision, threads=2)
    assert np.array_equal(wide.generate(SEEDS[::-1], {}), images[::-1])
    assert np.array_equal(engine.generate(SEEDS[2:3], {}), images[2:3])


@needs_bf16
def test_no_precision_rounds_what_pixel_norm_magnifies() -> None:
    model = Registry(None).get("faces-128")
    seeds = [image_seed(1, 60)]  # 34 dB with its latents in bf16.
    reference, engine = (
        load_engine(model, engine="openvino", precision=precision, threads=1).generate(seeds, {})
        for precision in ("fp32", "bf16")
    )
    error = np.mean((engine.astype(float) - reference) ** 2)
    assert 10 * np.log10(255**2 / error) >= 42


@pytest.mark.parametrize("cap", ["AVX512_CORE", "AVX2", "SSE41"])
def test_older_cpus_generate_the_same_picture_in_fp32(gated: ModelInfo, cap: str, tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from model.engines.load import load_engine; from model.registry import Registry\n"
        "info = Registry(Path(sys.argv[1])).get('tiny')\n"
        "engine = load_engine(info, engine='openvino', precision='auto', threads=1)\n"
        f"np.save(sys.argv[2], engine.generate({SEEDS!r}, {{}}))\n"
        "print(engine.precision, engine.isa)"
    )
    out = tmp_path / "images.npy"
    done = subprocess.run(
        [sys.executable, "-c", code, str(gated.path.parent), str(out)],
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": cap},
        capture_output=True,
        text=True,
        check=True,
    )
    precision, isa = done.stdout.split()
    assert precision == "fp32"
    assert isa == instruction_set(cap=cap)
    reference = load_engine(gated, engine="torch", precision="fp32", threads=1).generate(SEEDS, {})
    assert np.abs(np.load(out).astype(int) - reference).max() <= 1
