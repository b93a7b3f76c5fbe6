"""Importing the zoo's files: equal images, only known files opened, nothing in them run."""

from __future__ import annotations

import hashlib
import http.server
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from diptych.cli import main
from model.adding import zoo
from model.engines.load import load_engine
from model.errors import CheckpointError
from model.registry import Registry
from model.seeds import latents
from tests.support.builders import zoo_files
from tests.support.builders.zoo_files import SETTINGS, random_state

CHANNELS = (24, 16, 12)
STATE = random_state(CHANNELS, 20, seed=0)
OTHER = random_state(CHANNELS, 20, seed=1)
SEEDS = [5, 6, 7]


def publish(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file be one of the four."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    entry = zoo.ZooFile(f"tiny-{digest[:8]}.pth", "nothing", 0.1)
    monkeypatch.setattr(zoo, "ZOO", {**zoo.ZOO, "tiny-16": entry})


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "tiny.pth"
    content = {"netG": OTHER, "netD": {"x": torch.zeros(1)}, "avgG": STATE}
    zoo_files.save(path, content, settings=SETTINGS)
    publish(path, monkeypatch)
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["model", "import", *arguments])


def expected(seeds: list[int], state: Any = STATE) -> Any:
    images = zoo_files.generate(state, torch.from_numpy(latents(seeds, 20)))
    return ((images + 1) * 127.5).round().clamp(0, 255).permute(0, 2, 3, 1).numpy()


def test_an_imported_file_generates_what_the_zoo_generates(file: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    result = run(str(file), "--model-dir", str(models))
    assert result.exit_code == 0, result.output
    info = Registry(models).get("tiny-16")
    assert info.digest in result.stdout
    assert (info.resolution, info.training_data) == (16, "nothing")
    assert expected(SEEDS).std() > 20
    for engine in ("torch", "openvino"):
        images = load_engine(info, engine=engine, precision="fp32", threads=1).generate(SEEDS, {})
        # The weights are rounded to fp16 once.
        assert np.abs(images - expected(SEEDS)).max() <= 2
    assert run(str(file), "--model-dir", str(models), "--name", "exact", "--float32").exit_code == 0
    exact = load_engine(Registry(models).get("exact"), engine="torch", precision="fp32", threads=1)
    assert np.mean(exact.generate(SEEDS, {}) != expected(SEEDS)) < 0.001


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_name_that_an_added_model_has_is_refused(
    force: tuple[str, ...], file: Path, tmp_path: Path
) -> None:
    # Its descriptor would hide the checkpoint.
    (tmp_path / "tiny-16.model.json").write_text("{}")
    result = run(str(file), "--model-dir", str(tmp_path), *force)
    assert result.exit_code == 2
    assert "diptych model remove tiny-16" in result.stderr
    assert not (tmp_path / "tiny-16.safetensors").exists()


@pytest.mark.parametrize(
    "channels",
    [
        (512, 512, 512, 512, 256, 128),
        (512, 512, 512, 512, 256, 128, 64),
        (512, 512, 512, 512, 256, 128, 64, 32),
    ],
)
def test_the_published_sizes_are_converted(
    channels: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.pth"
    state = random_state(channels, 512, seed=0)
    zoo_files.save(path, {"netG": state}, settings=SETTINGS)
    publish(path, monkeypatch)
    weights, config = zoo.convert(path, "large")
    assert config.resolution == 4 << (len(channels) - 1)
    assert config.channels == channels
    assert {name: value.shape for name, value in weights.items()} == config.tensor_shapes()


@pytest.mark.parametrize("zipped", [False, True])
def test_older_names_and_both_file_formats_are_read(
    zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.pth"
    old = {name.replace(".module", ""): torch.nn.Parameter(value) for name, value in STATE.items()}
    zoo_files.save(path, {"netG": old}, settings=SETTINGS, zipped=zipped)
    publish(path, monkeypatch)
    weights, _ = zoo.convert(path, "old")
    torch.testing.assert_close(
        torch.from_numpy(weights["to_rgb.weight"]), STATE["toRGBLayers.2.module.weight"] * (2 / 12) ** 0.5
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"alpha": 0.3}, "alpha is 0.3"),
        ({"perChannelNormalization": False}, "perChannelNormalization is False"),
        ({"dimOutput": 1}, "dimOutput is 1"),
        ({"lossCriterion": "MSE"}, "lossCriterion is 'MSE'"),
        ({"leakyReluLeak": 3.0}, "not a Progressive GAN"),
    ],
)
def test_what_would_generate_otherwise_is_refused(
    change: dict[str, Any], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "odd.pth"
    zoo_files.save(path, {"netG": STATE}, settings=SETTINGS | change)
    publish(path, monkeypatch)
    with pytest.raises(CheckpointError, match=complaint):
        zoo.convert(path, "odd")


@pytest.mark.parametrize(
    "lost", ["formatLayer.module.weight", "toRGBLayers.2.module.bias", "scaleLayers.1.1.module.weight"]
)
def test_a_missing_tensor_is_named(lost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "holey.pth"
    zoo_files.save(path, {"netG": {k: v for k, v in STATE.items() if k != lost}}, settings=SETTINGS)
    publish(path, monkeypatch)
    with pytest.raises(CheckpointError, match=lost.replace(".module", "").replace(".", r"\.")):
        zoo.convert(path, "holey")


def test_an_unknown_file_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "celebaHQ16_december_s7_i96000-9c72988c.pth"
    zoo_files.save(path, {"netG": STATE}, settings=SETTINGS)
    result = run(str(path), "--model-dir", str(tmp_path / "models"))
    assert result.exit_code == 1
    assert "is not a published file of the zoo" in result.stderr
    assert not (tmp_path / "models").exists()


class Evil:
    """Unpickling it would make a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_code_in_a_known_file_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "ran"
    path = tmp_path / "evil.pth"
    zoo_files.save(path, {"netG": Evil(mark)}, settings=SETTINGS)
    publish(path, monkeypatch)
    with pytest.raises(CheckpointError, match="cannot be read as plain weights"):
        zoo.convert(path, "evil")
    assert not mark.exists()
    path.write_bytes(pickle.dumps([1]))
    publish(path, monkeypatch)
    with pytest.raises(CheckpointError):
        zoo.convert(path, "evil")


@pytest.fixture
def address(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An HTTP server that has the file under its published name."""
    content = file.read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == f"/{zoo.ZOO['tiny-16'].file}"
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(content) if known else 0))
            self.end_headers()
            if known:
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(zoo, "_ADDRESS", f"http://127.0.0.1:{server.server_port}/")
    yield zoo._ADDRESS
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("address")
def test_a_published_model_is_downloaded_and_kept_under_a_name(tmp_path: Path) -> None:
    models = tmp_path / "models"
    arguments = ("zoo:tiny-16", "--model-dir", str(models), "--name", "mine")
    assert run(*arguments).exit_code == 0
    assert Registry(models).get("mine").resolution == 16
    again = run(*arguments)
    assert again.exit_code == 2
    assert "--force replaces it" in again.stderr
    assert run(*arguments, "--force").exit_code == 0


@pytest.mark.parametrize("options", [(), ("--name", "mine"), ("--name", "../x")])
def test_a_name_is_refused_before_the_download(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "fetch", lambda *_: pytest.fail("downloaded"))
    for name in ("celeba-128", "mine"):
        (tmp_path / f"{name}.safetensors").touch()
    result = run("zoo:celeba-128", "--model-dir", str(tmp_path), *options)
    assert result.exit_code == 2
    assert "exists already" in result.stderr or "bad name" in result.stderr


@pytest.mark.usefixtures("address")
@pytest.mark.parametrize(
    ("source", "options", "complaint"),
    [
        ("zoo:celeba-128", (), "404"),
        ("zoo:nope", (), "unknown zoo model 'nope'; known models: celebahq-512"),
        ("missing.pth", (), "missing.pth: cannot be read: No such file"),
        ("zoo:tiny-16", ("--name", "../x"), "bad name '../x'"),
    ],
)
def test_bad_requests_get_one_line(
    source: str, options: tuple[str, ...], complaint: str, tmp_path: Path
) -> None:
    result = run(source, "--model-dir", str(tmp_path / "models"), *options)
    assert result.exit_code in (1, 2)
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "models").exists()
