"""Register a diffusers pipeline from its configs; its weights are hashed, not loaded."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from model.adding.request import AddRequest
from model.checkpoint import MAX_HEADER_BYTES, open_file
from model.descriptor import Descriptor, OptionValue
from model.engines.diffusers_folder import check_installed, read_index
from model.errors import CheckpointError, FormError
from model.families import validate_params
from model.hashing import hash_tree
from model.hub import COMMIT, NAME, REVISION, resolve, snapshot

NOMINAL_S: Final = 10.0
"""Time of one image until `model calibrate` has measured it."""
_VARIANT: Final = re.compile(r"[a-z0-9_]{1,16}")
_SHARD: Final = re.compile(r"-\d{5}-of-\d{5}")
_OTHER_FORMATS: Final = (".bin", ".ckpt", ".h5", ".msgpack", ".pt", ".pth")


def describe_diffusers(source: str, request: AddRequest) -> Descriptor:
    """Describe a pipeline in a folder, or one of the hub that was downloaded to this machine.

    Args:
        source: a folder, or "owner/name[@revision]".
        request: the other options.
    Raises:
        FormError: neither a folder nor a name of the hub, an unknown option, or an unknown resolution.
        CheckpointError: not a text-to-image or unconditional pipeline.
        EngineError: the extra is not installed.
    """
    request.only("steps", "guidance", "variant")
    check_installed()
    folder, pinned, local = _find(source)
    index = read_index(folder)
    variant, weights = _weight_files(folder, index, _variant(request))
    parameters = sum(map(_weights, weights))
    from model.engines.diffusers import params_of, pipeline_class

    takes = params_of(pipeline_class(folder))
    options = _options(request, takes)
    if variant:
        options["variant"] = variant
    return Descriptor(
        family="diffusers",
        source=pinned,
        local=local,
        resolution=request.resolution or _resolution(folder, index),
        takes=takes,
        options=options,
        files=hash_tree(folder) if local else {},
        parameters=parameters,
        licence=request.licence,
        training_data=request.training_data,
        seconds_per_image=request.seconds_per_image or NOMINAL_S,
    )


def _find(source: str) -> tuple[Path, str, bool]:
    """The folder, the descriptor's source, and whether that is a path."""
    path = Path(source).expanduser()
    if path.is_dir():
        return path, str(path.absolute()), True
    name, at, revision = source.partition("@")
    if not NAME.fullmatch(name) or (at and not REVISION.fullmatch(revision)):
        raise FormError(f"{source[:200]}: neither a folder nor OWNER/NAME[@REVISION] of the hub")
    commit = resolve(name, revision or "main")
    if commit is None:
        raise FormError(
            f"{name}: revision {revision or 'main'} is not in the cache of this machine: download it with"
            f" `hf download {name}`, or pin a commit: {name}@COMMIT (40 hex digits)"
        )
    folder = snapshot(f"{name}@{commit}")
    if folder is None:
        raise FormError(
            f"{name} at {commit[:12]} is not on this machine: run `hf download {name} --revision {commit}`"
        )
    assert COMMIT.fullmatch(commit)
    return folder, f"{name}@{commit}", False


def _options(request: AddRequest, takes: tuple[str, ...]) -> dict[str, OptionValue]:
    given = {name: request.options[name] for name in ("steps", "guidance") if name in request.options}
    # The prompt belongs to a job; the others have the same limits as in a job.
    checked = validate_params("diffusers", given, [name for name in takes if name != "prompt"])
    return {name: value for name, value in checked.items() if value is not None}


def _variant(request: AddRequest) -> str:
    variant = request.options.get("variant", "")
    if not isinstance(variant, str) or (variant and not _VARIANT.fullmatch(variant)):
        raise FormError("option variant must be the middle part of the weight file names, such as fp16")
    return variant


def _resolution(folder: Path, index: dict[str, Any]) -> int:
    """Compute the default resolution from the denoiser's latents and the decoder's upsamplings."""
    side: Any = None
    for part in ("unet", "transformer"):
        if part in index:
            side = _config(folder / part).get("sample_size")
    if isinstance(side, list):
        side = max(side)
    scale = 1
    for part in ("vae", "vqvae"):
        if part in index:
            scale = 2 ** (len(_config(folder / part).get("block_out_channels", [1])) - 1)
    if not isinstance(side, int) or not 4 <= side * scale <= 4096:
        raise FormError(f"{folder.name}: its configs do not define the image size: give --resolution")
    return side * scale


def _config(part: Path) -> dict[str, Any]:
    try:
        config = json.loads((part / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        raise CheckpointError(f"{part.parent.name}: no valid {part.name}/config.json") from None
    return config if isinstance(config, dict) else {}


def _weight_files(folder: Path, index: Mapping[str, Any], variant: str) -> tuple[str, list[Path]]:
    """The files that will be loaded, as the library chooses them: of each part those of the variant, if any.

    Returns:
        The variant, detected if none is asked for and some part has no other files; and the files.
    """
    parts = [_WeightsOf(part) for part in sorted(folder.iterdir()) if part.name in index and part.is_dir()]
    for part in parts:
        if not part.by_variant and part.others:
            raise CheckpointError(
                f"{folder.name}: {part.others[0]}: no safetensors weights found; other formats are not loaded"
            )
    if not variant:
        lacking = [set(part.by_variant) for part in parts if part.by_variant and "" not in part.by_variant]
        variant = min(set.intersection(*lacking), default="") if lacking else ""
    elif all(variant not in part.by_variant for part in parts):
        raise CheckpointError(f"{folder.name}: no safetensors weights of variant {variant} found")
    chosen: list[Path] = []
    for part in parts:
        files = part.by_variant.get(variant) or part.by_variant.get("")
        if part.by_variant and not files:
            told = ", ".join(sorted(part.by_variant))
            raise CheckpointError(
                f"{folder.name}: {part.name} has weights of variant {told} alone: give --option variant="
            )
        chosen += files or []
    if not chosen:
        raise CheckpointError(f"{folder.name}: no safetensors weights found; other formats are not loaded")
    return variant, chosen


class _WeightsOf:
    """The weight files of one part of a pipeline, by variant: "" for those of none."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self.by_variant: dict[str, list[Path]] = {}
        for path in sorted(folder.glob("*.safetensors")):
            # "model.safetensors", "model.fp16-00001-of-00002.safetensors"
            variant = ".".join(_SHARD.sub("", path.name).split(".")[1:-1])
            self.by_variant.setdefault(variant, []).append(path)
        names = sorted(path.name for path in folder.iterdir())
        self.others = [f"{folder.name}/{name}" for name in names if name.endswith(_OTHER_FORMATS)]
        if "config.json" in names:  # it is a network, and needs weights
            self.others.append(f"{folder.name}/")


def _weights(path: Path) -> int:
    with open_file(path) as file:
        length = int.from_bytes(file.read(8), "little")
        content = file.read(min(length, 16 * MAX_HEADER_BYTES))
    try:
        header: dict[str, Any] = json.loads(content)
        shapes = [tensor["shape"] for name, tensor in header.items() if name != "__metadata__"]
        if not all(type(side) is int for shape in shapes for side in shape):
            raise ValueError
        return sum(math.prod(shape) for shape in shapes)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(f"{path.name}: not a valid safetensors file") from None
