"""Download, verify and convert the four Progressive GANs published by facebookresearch/pytorch_GAN_zoo.

They are pickles, but no code in them runs: a file is opened only if its SHA-256 starts with the digits in its
published name, and then with `weights_only`, which builds only tensors and plain containers. The result is a
checkpoint like any other.
"""

from __future__ import annotations

import hashlib
import math
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from model.config import GeneratorConfig
from model.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_FILE_BYTES: Final = 1 << 30
TIMEOUT_S: Final = 30.0
_ADDRESS: Final = "https://dl.fbaipublicfiles.com/gan_zoo/PGAN/"
_CELEBA_TERMS: Final = "real faces; the data set's terms allow non-commercial research only"
_LICENCE: Final = "as published with facebookresearch/pytorch_GAN_zoo (BSD 3-Clause)"
_LEVEL: Final = re.compile(r"scaleLayers\.(\d+)\.")

Progress = Callable[[int, int], None]
"""Called with the number of bytes received and the total (0: unknown)."""


@dataclass(frozen=True, slots=True)
class ZooFile:
    """One published file.

    Args:
        file: its published name, which ends in the first hex digits of its SHA-256.
        training_data: description of the training data.
        seconds_per_image: nominal time of one image on one vCPU.
    """

    file: str
    training_data: str
    seconds_per_image: float

    @property
    def url(self) -> str:
        """Its public URL."""
        return _ADDRESS + self.file

    @property
    def hash_prefix(self) -> str:
        """The first hex digits of its SHA-256."""
        return self.file.rpartition("-")[2].removesuffix(".pth")


ZOO: Final[Mapping[str, ZooFile]] = {
    "celebahq-512": ZooFile(
        "celebaHQ16_december_s7_i96000-9c72988c.pth", f"CelebA-HQ ({_CELEBA_TERMS})", 0.45
    ),
    "celebahq-256": ZooFile("celebaHQ_s6_i80000-6196db68.pth", f"CelebA-HQ ({_CELEBA_TERMS})", 0.36),
    "celeba-128": ZooFile("celebaCropped_s5_i83000-2b0acc76.pth", f"CelebA ({_CELEBA_TERMS})", 0.27),
    "dtd-128": ZooFile("testDTD_s5_i96000-04efa39f.pth", "Describable Textures Dataset", 0.27),
}


def fetch(name: str, folder: Path, progress: Progress = lambda *_: None) -> Path:
    """Download a published file.

    Args:
        name: a key of ZOO.
        folder: folder to download to.
        progress: receives the progress.
    Returns:
        The file, with verified hash.
    Raises:
        CheckpointError: it is unreachable, too large, or not the published file.
    """
    import requests

    entry = _entry(name)
    path = folder / entry.file
    try:
        with requests.get(entry.url, stream=True, timeout=TIMEOUT_S) as response, path.open("wb") as file:
            response.raise_for_status()
            total, done = int(response.headers.get("Content-Length", 0)), 0
            for chunk in response.iter_content(1 << 20):
                done += len(chunk)
                if done > MAX_FILE_BYTES:
                    raise CheckpointError(f"{entry.url} is larger than {MAX_FILE_BYTES >> 20} MB")
                file.write(chunk)
                progress(done, total)
    except (requests.RequestException, OSError) as error:
        raise CheckpointError(
            f"{entry.url} cannot be downloaded ({error}); with the file, run `diptych model import FILE`"
        ) from None
    identify(path)
    return path


def identify(path: Path) -> str:
    """Identify a published file by its hash.

    Returns:
        A key of ZOO.
    Raises:
        CheckpointError: it is not a published file, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            file_hash = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None
    for name, entry in ZOO.items():
        if file_hash.startswith(entry.hash_prefix):
            return name
    raise CheckpointError(
        f"{path.name} (sha256 {file_hash[:12]}…) is not a published file of the zoo; "
        "it may be a malicious pickle and is not opened"
    )


def convert(path: Path, name: str) -> tuple[dict[str, NDArray[np.float32]], GeneratorConfig]:
    """Convert one of the published files.

    Args:
        path: a published file, see `identify`.
        name: the registered name of the checkpoint.
    Returns:
        Weights as `config.tensor_shapes()` names them, and the config.
    Raises:
        CheckpointError: not a published file, or not a generator of the expected kind.
    """
    entry = ZOO[identify(path)]
    stored = _read(path)
    settings = vars(stored["config"]) if isinstance(stored.get("config"), _Settings) else stored.get("config")
    if not isinstance(settings, Mapping):
        raise CheckpointError(f"{path.name}: has no config")
    _check(path, settings)
    # The average over training steps generates better images than the last one.
    state = _plain_names(stored.get("avgG") or stored.get("netG") or {})
    try:
        weights = _weights(state, equalised=bool(settings.get("equalizedlR", True)))
        config = GeneratorConfig(
            name=name,
            resolution=4 << _levels(state),
            latent_size=int(weights["input.weight"].shape[1]),
            channels=_channels(weights),
            leaky_slope=float(settings.get("leakyReluLeak", 0.2)),
            licence=_LICENCE,
            training_data=entry.training_data,
            seconds_per_image=entry.seconds_per_image,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path.name}: not a Progressive GAN of the zoo's layout: {error}") from None
    return weights, config


class _Settings:
    """Replaces the zoo's own settings class, which has only attributes."""


def _entry(name: str) -> ZooFile:
    if name not in ZOO:
        raise CheckpointError(f"unknown zoo model {name[:80]!r}; known models: {', '.join(ZOO)}")
    return ZOO[name]


def _read(path: Path) -> Mapping[str, Any]:
    import torch

    try:
        with torch.serialization.safe_globals([(_Settings, "models.utils.config.BaseConfig")]):
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"{path.name}: cannot be read as plain weights: {reason}") from None
    if not isinstance(stored, Mapping):
        raise CheckpointError(f"{path.name}: holds a {type(stored).__name__}, not a dictionary")
    return stored


def _check(path: Path, settings: Mapping[str, Any]) -> None:
    """Refuse settings that our generator does not reproduce."""
    required = {
        "alpha": 0,  # Above 0, the last level has not faded in completely.
        "perChannelNormalization": True,
        "dimOutput": 3,
        "lossCriterion": "WGANGP",  # Under others the zoo adds a tanh.
    }
    for key, value in required.items():
        if settings.get(key, value) != value:
            raise CheckpointError(f"{path.name}: {key} is {settings[key]!r}; only {value!r} can be converted")


def _plain_names(state: Mapping[str, Any]) -> dict[str, Any]:
    """Names without the wrapper module, which older files do not have."""
    return {name.replace(".module.", "."): value for name, value in state.items()}


def _levels(state: Mapping[str, Any]) -> int:
    """Levels above 4x4."""
    return 1 + max((int(match[1]) for match in map(_LEVEL.match, state) if match), default=-1)


def _weights(state: Mapping[str, Any], *, equalised: bool) -> dict[str, NDArray[np.float32]]:
    levels = _levels(state)
    sources = {"input": "formatLayer", "blocks.0.conv": "groupScale0.0"}
    for level in range(1, levels + 1):
        sources[f"blocks.{level}.conv0"] = f"scaleLayers.{level - 1}.0"
        sources[f"blocks.{level}.conv1"] = f"scaleLayers.{level - 1}.1"
    sources["to_rgb"] = f"toRGBLayers.{levels}"
    weights: dict[str, NDArray[np.float32]] = {}
    for ours, theirs in sources.items():
        weight = state[f"{theirs}.weight"].detach().float()
        # He's constant at run time; the zoo multiplies the bias by it too, and uses it for to_rgb as well.
        scale = math.sqrt(2 / math.prod(weight.shape[1:])) if equalised else 1.0
        weights[f"{ours}.weight"] = (weight * scale).numpy()
        weights[f"{ours}.bias"] = (state[f"{theirs}.bias"].detach().float() * scale).numpy()
    return weights


def _channels(weights: Mapping[str, NDArray[np.float32]]) -> tuple[int, ...]:
    last_layers = [name for name in weights if name.endswith(("0.conv.bias", "conv1.bias"))]
    return tuple(int(weights[name].shape[0]) for name in last_layers)
