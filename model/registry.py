"""The registry: which models there are, told from headers and descriptors alone (no runtime imported)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model.calibration import calibration_file, load_calibrations
from model.checkpoint import digest as hash_file
from model.checkpoint import read_header
from model.descriptor import SUFFIX as DESCRIPTOR_SUFFIX
from model.descriptor import read_descriptor
from model.errors import CheckpointError, DigestError, UnknownModelError

SUFFIX: Final = ".safetensors"
SHIPPED_FOLDER: Final = Path(__file__).parent / "checkpoints"
NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

_digests: dict[tuple[Path, int, int], str] = {}


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a registered model without loading it.

    Args:
        name: registered name, matches [a-z0-9][a-z0-9-]{0,62}.
        family: "pgan", "diffusers", "onnx", "python"; decides which params a job may carry.
        resolution: height and width of an image in pixels; the longer side, if they differ.
        digest: "sha256:<hex>" of the checkpoint file, or of what a descriptor pins.
        path: the checkpoint or the descriptor.
        parameters: number of weights.
        licence: licence of the weights.
        training_data: what it was trained on, in words.
        seconds_per_image: nominal or calibrated time of one image on one vCPU.
        takes: names of the params that a job may give; None: any that the family takes.
        precisions: those that a job may ask for by name; None: its engine alone knows.
    """

    name: str
    family: str
    resolution: int
    digest: str
    path: Path
    parameters: int
    licence: str
    training_data: str
    seconds_per_image: float
    takes: tuple[str, ...] | None = ()
    precisions: tuple[str, ...] | None = None

    @property
    def shipped(self) -> bool:
        """True if its checkpoint comes with this program, so that every worker has it."""
        return self.path.parent == SHIPPED_FOLDER

    @property
    def is_checkpoint(self) -> bool:
        """True if it is one checkpoint file, which may travel; a descriptor holds for one machine only."""
        return self.path.name.endswith(SUFFIX)


class Registry:
    """Models by name: the shipped checkpoints, then checkpoints and descriptors of `model_dir`.

    A file's name without its suffix is the model's name. `model_dir` beats the shipped ones: digests keep
    jobs apart, so a user may retrain a model under its old name.

    Args:
        model_dir: a folder of more `<name>.safetensors` and `<name>.model.json`, or None.
        calibrations: file of measured times; by default the user's own (see `model calibrate`).
    """

    def __init__(self, model_dir: Path | None = None, calibrations: Path | None = None) -> None:
        self._model_dir = model_dir
        self._folders = [SHIPPED_FOLDER, *([model_dir] if model_dir else [])]
        self._calibrations = calibrations

    def names(self) -> list[str]:
        """Registered names, sorted. Files whose names no message could carry are left out."""
        return sorted(self._paths())

    def get(self, name: str) -> ModelInfo:
        """Look a model up.

        Raises:
            UnknownModelError: no such model; the text lists those there are.
            CheckpointError: its header or descriptor is damaged.
        """
        return self.describe(name, self._find(name))

    def describe(self, name: str, path: Path) -> ModelInfo:
        """Say what a checkpoint or a descriptor is, wherever it lies.

        Args:
            name: the name to register it under.
            path: the checkpoint or the descriptor.
        Raises:
            CheckpointError: it is damaged, or cannot be read.
        """
        if path.name.endswith(DESCRIPTOR_SUFFIX):
            return self._described(name, path)
        config = read_header(path).config
        digest = file_digest(path)
        return ModelInfo(
            name=name,
            family=config.family,
            resolution=config.resolution,
            digest=digest,
            path=path,
            parameters=config.parameters,
            licence=config.licence,
            training_data=config.training_data,
            seconds_per_image=self._seconds_per_image(digest, config.seconds_per_image),
            takes=(),
            precisions=("fp32", "bf16", "int8")
            if config.gate and config.gate.int8_layers
            else ("fp32", "bf16"),
        )

    def resolve(self, name: str, digest: str) -> ModelInfo:
        """Look up the very checkpoint that a job was planned with.

        Args:
            name: registered name.
            digest: "sha256:<hex>" that it must have.
        Raises:
            UnknownModelError: no such model.
            DigestError: the model here has another digest.
            CheckpointError: its header or descriptor is damaged.
        """
        info = self.get(name)
        if info.digest != digest:
            raise DigestError(
                f"model {name} here is {_short(info.digest)}, the job asks for {_short(digest)}: "
                "give this worker the checkpoint that the job was submitted with, or submit again"
            )
        return info

    def _described(self, name: str, path: Path) -> ModelInfo:
        descriptor = read_descriptor(path)
        return ModelInfo(
            name=name,
            family=descriptor.family,
            resolution=descriptor.resolution,
            digest=descriptor.digest,
            path=path,
            parameters=descriptor.parameters,
            licence=descriptor.licence,
            training_data=descriptor.training_data,
            seconds_per_image=self._seconds_per_image(descriptor.digest, descriptor.seconds_per_image),
            takes=descriptor.takes,
        )

    def _seconds_per_image(self, digest: str, nominal: float) -> float:
        measured = load_calibrations(self._calibrations or calibration_file()).get(digest)
        return measured.seconds_per_image if measured else nominal

    def _find(self, name: str) -> Path:
        if not NAME_PATTERN.fullmatch(name):
            raise UnknownModelError(
                f"{_shown(name)} is not a model's name: a registered name (a-z, 0-9, -), not a path or URL; "
                f"there are: {self._listed()}"
            )
        paths = self._paths()
        if name not in paths:
            where = f" (also looked in {self._model_dir})" if self._model_dir else ""
            raise UnknownModelError(f"unknown model {name}; there are: {self._listed()}{where}")
        return paths[name]

    def _paths(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in self._folders:
            for suffix in (SUFFIX, DESCRIPTOR_SUFFIX):
                for path in sorted(folder.glob(f"*{suffix}")):
                    name = path.name.removesuffix(suffix)
                    if NAME_PATTERN.fullmatch(name):
                        found[name] = path
        return found

    def _listed(self) -> str:
        return ", ".join(self.names()) or "none"


def file_digest(path: Path) -> str:
    """The digest of a file, hashed once per process as long as the file stays as it is.

    Raises:
        CheckpointError: the file cannot be read.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise CheckpointError(f"{path.name}: cannot be read: {error.strerror}") from None
    key = (path, found.st_mtime_ns, found.st_size)
    if key not in _digests:
        _digests[key] = hash_file(path)
    return _digests[key]


def _short(digest: str) -> str:
    return digest[: len("sha256:") + 12]


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else name[:77] + "...")
