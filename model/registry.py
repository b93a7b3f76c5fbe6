"""The registry of models, read from headers and descriptors alone (no runtime is imported)."""

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
from model.errors import CheckpointError, DigestError, UnknownModelError, quoted

SUFFIX: Final = ".safetensors"
SHIPPED_FOLDER: Final = Path(__file__).parent / "checkpoints"
NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

_digests: dict[tuple[Path, int, int], str] = {}


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A registered model's properties, read without loading it.

    Args:
        name: registered name, matches [a-z0-9][a-z0-9-]{0,62}.
        family: "pgan", "diffusers", "onnx", "python"; decides which params a job may carry.
        resolution: height and width of an image in pixels; the longer side, if they differ.
        digest: "sha256:<hex>" of the checkpoint file, or of what a descriptor pins.
        path: the checkpoint or the descriptor.
        parameters: number of weights.
        licence: licence of the weights.
        training_data: description of the training data.
        seconds_per_image: nominal or calibrated time of one image on one vCPU.
        takes: params that a job may set; None: any that the family accepts.
        precisions: those that a job may request; None: known only to its engine.
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
        """True if its checkpoint is shipped with Diptych, so that every worker has it."""
        return self.path.parent == SHIPPED_FOLDER

    @property
    def is_checkpoint(self) -> bool:
        """True if it is a checkpoint file, which can be uploaded; descriptors are valid on one machine."""
        return self.path.name.endswith(SUFFIX)


class Registry:
    """Models by name: the shipped checkpoints, then checkpoints and descriptors of `model_dir`.

    A file's name without its suffix is the model's name. `model_dir` overrides the shipped ones: jobs
    refer to digests, so a user may retrain a model under its old name.

    Args:
        model_dir: a folder of more `<name>.safetensors` and `<name>.model.json`, or None.
        calibrations: file of measured times; default: the user's (see `model calibrate`).
    """

    def __init__(self, model_dir: Path | None = None, calibrations: Path | None = None) -> None:
        self._model_dir = model_dir
        self._folders = [SHIPPED_FOLDER, *([model_dir] if model_dir else [])]
        self._calibrations = calibrations

    def names(self) -> list[str]:
        """Registered names, sorted. Files with invalid names are skipped."""
        return sorted(self._paths())

    def get(self, name: str) -> ModelInfo:
        """Look a model up.

        Raises:
            UnknownModelError: no such model; the message lists the known ones.
            CheckpointError: its header or descriptor is damaged.
        """
        return self.describe(name, self._find(name))

    def describe(self, name: str, path: Path) -> ModelInfo:
        """Read the properties of a checkpoint or a descriptor anywhere.

        Args:
            name: the name to register it under.
            path: the checkpoint or the descriptor.
        Raises:
            CheckpointError: it is damaged or unreadable.
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
        """Look up the model with a given digest.

        Args:
            name: registered name.
            digest: the required "sha256:<hex>".
        Raises:
            UnknownModelError: no such model.
            DigestError: the model here has another digest.
            CheckpointError: its header or descriptor is damaged.
        """
        info = self.get(name)
        if info.digest != digest:
            raise DigestError(
                f"model {name} here is {_short(info.digest)}, but the job needs {_short(digest)}, the one it"
                " was submitted with: put that one back, or make the same request with today's:"
                " `diptych submit --like JOB`"
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
                f"{quoted(name)} is not a model name: use a-z, 0-9 and -, not a path or URL; "
                f"known models: {self._listed()}"
            )
        paths = self._paths()
        if name not in paths:
            where = f" (searched {self._model_dir} too)" if self._model_dir else ""
            raise UnknownModelError(f"unknown model {name}; known models: {self._listed()}{where}")
        return paths[name]

    def _paths(self) -> dict[str, Path]:
        paths: dict[str, Path] = {}
        for folder in self._folders:
            for suffix in (SUFFIX, DESCRIPTOR_SUFFIX):
                for path in sorted(folder.glob(f"*{suffix}")):
                    name = path.name.removesuffix(suffix)
                    if NAME_PATTERN.fullmatch(name):
                        paths[name] = path
        return paths

    def _listed(self) -> str:
        return ", ".join(self.names()) or "none"


def file_digest(path: Path) -> str:
    """The digest of a file, hashed once per process as long as the file does not change.

    Raises:
        CheckpointError: the file cannot be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise CheckpointError(f"{path.name}: cannot be read: {error.strerror}") from None
    key = (path, status.st_mtime_ns, status.st_size)
    if key not in _digests:
        _digests[key] = hash_file(path)
    return _digests[key]


def _short(digest: str) -> str:
    return digest[: len("sha256:") + 12]
