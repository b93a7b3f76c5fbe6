"""Checkpoints: what was saved comes back, and every kind of damage is one clear error."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.engines.random_models import random_weights
from model.checkpoint import digest, load_checkpoint, read_header, save_checkpoint
from model.config import GeneratorConfig
from model.errors import CheckpointError

CONFIG = GeneratorConfig(name="tiny", resolution=8, latent_size=5, channels=(4, 3), training_data="noise")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.safetensors"
    save_checkpoint(file, random_weights(CONFIG), CONFIG)
    return file


def test_what_was_saved_comes_back(path: Path) -> None:
    weights, config = load_checkpoint(path)
    assert config == CONFIG
    for name, saved in random_weights(CONFIG).items():
        assert weights[name].dtype == np.float32
        np.testing.assert_array_equal(weights[name], saved.astype(np.float16).astype(np.float32))


def test_digest_is_that_of_the_file_and_of_the_weights_alone(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "elsewhere" / "tiny.safetensors"
    told = save_checkpoint(again, random_weights(CONFIG), CONFIG)
    assert told == digest(path) == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_header_needs_no_numpy(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from model.checkpoint import read_header\n"
        f"print(read_header(Path({str(path)!r})).config.parameters, 'numpy' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == [str(CONFIG.parameters), "False"]


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_a_pickle_is_refused_and_never_run(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "evil.safetensors"
    if kind == "pickle":
        file.write_bytes(pickle.dumps({"input.weight": [1.0]}))
    else:
        torch.save({"input.weight": torch.zeros(3)}, file)
    with pytest.raises(CheckpointError, match="pickled"):
        load_checkpoint(file)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file"):
        read_header(tmp_path / "none.safetensors")


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_cut_is_found(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = folder / "whole.safetensors"
    save_checkpoint(whole, random_weights(CONFIG), CONFIG)
    content = whole.read_bytes()
    cut = folder / "cut.safetensors"
    cut.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(CheckpointError):
        read_header(cut)


def test_bytes_after_the_end_are_named(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(
        CheckpointError, match=r"extra bytes after its weights: \d+ bytes of weights, not \d+"
    ):
        read_header(path)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_flipped_bit_is_found(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("flip")
    file = folder / "tiny.safetensors"
    save_checkpoint(file, random_weights(CONFIG), CONFIG)
    content = bytearray(file.read_bytes())
    header_bits = (8 + int.from_bytes(content[:8], "little")) * 8
    # Half of the flips in the header: it is the smaller part, and where damage could go unseen.
    last: int = data.draw(st.sampled_from([header_bits, len(content) * 8])) - 1
    bit = data.draw(st.integers(0, last))
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(bytes(content))
    try:
        weights, config = load_checkpoint(file)
    except CheckpointError:
        return
    # What is left are flips that mean nothing, such as a space of the padding turned into a tab.
    assert config == CONFIG
    for name, saved in random_weights(CONFIG).items():
        np.testing.assert_array_equal(weights[name], saved.astype(np.float16).astype(np.float32))


def rewrite_header(path: Path, **changes: object) -> None:
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header.update(changes)
    for name in [name for name, value in changes.items() if value is None]:
        del header[name]
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"__metadata__": None}, "no diptych config"),
        ({"__metadata__": {}}, "no diptych config"),
        ({"__metadata__": {"diptych": "{}", "diptych.sha256": "0"}}, "bad generator config"),
        ({"to_rgb.bias": None}, "to_rgb.bias is missing"),
        ({"more": {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]}}, "'more' is not in the config"),
        ({"to_rgb.bias": {"dtype": "F16", "shape": [6], "data_offsets": [0, 6]}}, r"\(6,\), but"),
        ({"to_rgb.bias": {"dtype": "F64", "shape": [3], "data_offsets": [0, 24]}}, "damaged"),
        ({"to_rgb.bias": {"dtype": "F16", "shape": [3], "data_offsets": [2, 8]}}, "damaged"),
        ({"to_rgb.bias": "none"}, "damaged"),
        ({"to_rgb.bias": {"dtype": "F16", "shape": [3], "data_offsets": [-6, 0]}}, "damaged"),
        ({"to_rgb.bias": {"dtype": "F16", "shape": [3], "data_offsets": [1e400, 1e400]}}, "damaged"),
        ({"to_rgb.bias": {"dtype": "F16", "shape": [3], "data_offsets": [1.5, 10**400]}}, "damaged"),
        ({"to_rgb.bias": {"dtype": "F16", "shape": [3.0], "data_offsets": [0, 6]}}, "damaged"),
        ({"to_rgb.bias": {"dtype": ["F16"], "shape": [3], "data_offsets": [0, 6]}}, "damaged"),
        ({"to_rgb.bias": {"dtype": "F16", "shape": [10**4000], "data_offsets": [0, 6]}}, r"0, but \(3,\)"),
        (
            {"\ud800": {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]}},
            r"'\\ud800' is not in the config",
        ),
    ],
)
def test_a_header_that_does_not_fit(changes: dict[str, object], message: str, path: Path) -> None:
    rewrite_header(path, **changes)
    with pytest.raises(CheckpointError, match=message):
        read_header(path)


def test_offsets_that_are_no_whole_numbers_are_refused(path: Path) -> None:
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    offsets = {name: entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"}
    floats = {
        name: {**header[name], "data_offsets": [float(end) for end in ends]} for name, ends in offsets.items()
    }
    rewrite_header(path, **floats)
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(CheckpointError, match="not a regular file"):
        read_header(tmp_path / "pipe.safetensors")


def test_wrong_tensors_are_not_saved(tmp_path: Path) -> None:
    file = tmp_path / "tiny.safetensors"
    weights = random_weights(CONFIG)
    with pytest.raises(CheckpointError, match=r"to_rgb\.bias is \(4,\)"):
        save_checkpoint(file, weights | {"to_rgb.bias": np.zeros(4, np.float32)}, CONFIG)
    with pytest.raises(CheckpointError, match="not finite in fp16"):
        save_checkpoint(file, weights | {"to_rgb.bias": np.full(3, 1e6, np.float32)}, CONFIG)
    with pytest.raises(CheckpointError, match="missing"):
        save_checkpoint(file, {}, CONFIG)
    assert not file.exists()


def test_a_full_disk_leaves_the_last_good_checkpoint(path: Path) -> None:
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    larger = GeneratorConfig(name="tiny", resolution=8, latent_size=5, channels=(64, 64))
    # A limit on the size of files fails the write half way through, as a full disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
    try:
        with pytest.raises(CheckpointError, match="the previous file is kept"):
            save_checkpoint(path, random_weights(larger), larger)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": 96, "channels": [4] * 5}, "not a power of two"),
        ({"resolution": 2}, "greater than or equal to 4"),
        ({"resolution": 2048, "channels": [4] * 10}, "less than or equal to 1024"),
        ({"channels": [4]}, "needs 2 channel counts, not 1"),
        ({"channels": [4, 0]}, "channels.1"),
        ({"name": "../faces"}, "name"),
        ({"name": "faces\n"}, "name"),
        ({"schema": "diptych.checkpoint/2"}, "schema"),
        ({"leaky_slope": float("nan")}, "leaky_slope"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_configs_that_cannot_be(changes: dict[str, object], message: str) -> None:
    text = json.dumps(json.loads(CONFIG.to_json()) | changes)
    with pytest.raises(CheckpointError, match=message):
        GeneratorConfig.from_json(text)


def test_parameters_are_those_of_the_tensors() -> None:
    assert CONFIG.parameters == sum(array.size for array in random_weights(CONFIG).values())
    assert GeneratorConfig.from_json(CONFIG.to_json()) == CONFIG


def test_shipped_checkpoints_are_sound() -> None:
    folder = Path(__file__).parents[2] / "model" / "checkpoints"
    files = sorted(folder.glob("*.safetensors"))
    assert files
    for file in files:
        _, config = load_checkpoint(file)
        assert config.name == file.stem
        assert file.stat().st_size < 8 << 20
