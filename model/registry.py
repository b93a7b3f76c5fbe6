"""The registry: which models there are, told from their checkpoints' headers alone (no runtime imported)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model.errors import UnknownModelError


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a registered model without loading it.

    Args:
        name: registered name, matches [a-z0-9][a-z0-9-]{0,62}.
        family: "pgan", …; decides which params a job may carry.
        resolution: height and width of an image in pixels.
        digest: "sha256:<hex>" of the checkpoint file.
        path: the checkpoint.
        parameters: number of weights.
        licence: licence of the weights.
        training_data: what it was trained on, in words.
        seconds_per_image: nominal or calibrated time of one image on one vCPU.
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


class Registry:
    """Models by name: the shipped checkpoints, then those of `model_dir`.

    Args:
        model_dir: a folder of more `<name>.safetensors`, or None.
    """

    def __init__(self, model_dir: Path | None = None) -> None:
        self._folders = [Path(__file__).parent / "checkpoints", *([model_dir] if model_dir else [])]

    def names(self) -> list[str]:
        """Registered names, sorted."""
        raise UnknownModelError("not written yet")

    def get(self, name: str) -> ModelInfo:
        """Look a model up.

        Raises:
            UnknownModelError: no such model; the text lists those there are.
            CheckpointError: its header is damaged.
        """
        raise UnknownModelError(name)
