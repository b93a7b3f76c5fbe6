"""Pipelines of the `diffusers` library, one image at a time: equal seeds give equal images."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.descriptor import Descriptor
from model.engines.diffusers_folder import not_installed, read_index
from model.engines.isa import instruction_set
from model.errors import CheckpointError, EngineError, GenerationError, ModelError, ParamsError, describe
from model.protocol import Params

try:
    import diffusers
    import torch
    import transformers
except ImportError as error:
    raise not_installed(error) from error

ARGUMENTS: Final = {
    "prompt": "prompt",
    "negative_prompt": "negative_prompt",
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
    "height": "height",
    "width": "width",
}
"""Names of our params and of the library's arguments."""
OTHER_INPUTS: Final = ("image", "mask_image", "video", "num_frames", "audio_length_in_s", "class_labels")
"""Arguments of pipelines that are neither text-to-image nor unconditional."""
DEFAULTS: Final = ("steps", "guidance")
"""Options of a descriptor that are defaults of a job's params."""
_STATE_START: Final = 24
_STATE_WORDS: Final = 624


class DiffusersEngine:
    """A text-to-image or unconditional pipeline in torch.

    On a CPU every image is generated on one intra-op thread, so that its bytes depend on nothing else;
    more threads generate more images at a time. On a GPU images are generated one after the other, in bf16.

    Args:
        pipeline: loaded, on its device.
        defaults: defaults of the params.
        takes: names of the params that the pipeline takes.
        resolution: default height and width, in pixels.
        precision: the precision it was loaded in.
        threads: images generated at a time on a CPU.
    """

    name = "diffusers"

    def __init__(
        self,
        pipeline: Any,
        *,
        defaults: Params,
        takes: Sequence[str],
        resolution: int,
        precision: str,
        threads: int,
    ) -> None:
        self.version = f"{diffusers.__version__}+torch{torch.__version__.partition('+')[0]}"
        self.precision = precision
        self.threads = threads
        self.resolution = resolution
        self._on_gpu = pipeline.device.type == "cuda"
        self.isa = _gpu_architecture() if self._on_gpu else instruction_set()
        self._defaults = dict(defaults)
        if "height" in takes:
            self._defaults |= {"height": resolution, "width": resolution}
        self.flagged: frozenset[int] = frozenset()
        """See `model.protocol.FlaggingEngine`."""
        self._lanes = [pipeline] + [_sibling(pipeline) for _ in range(0 if self._on_gpu else threads - 1)]

    def generate(self, seeds: Sequence[int], params: Params) -> NDArray[np.uint8]:
        """Generate one image per seed; see `model.protocol.Engine.generate`."""
        chosen = {**self._defaults, **{name: value for name, value in params.items() if value is not None}}
        arguments = {ARGUMENTS[name]: value for name, value in chosen.items()}
        images: dict[int, NDArray[np.uint8]] = {}
        flags: dict[int, bool] = {}

        def run_lane(lane: int) -> None:
            for index in range(lane, len(seeds), len(self._lanes)):
                images[index], flags[index] = _generate(self._lanes[lane], seeds[index], arguments)

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with ThreadPoolExecutor(len(self._lanes)) as pool:
                list(pool.map(run_lane, range(len(self._lanes))))
        finally:
            torch.set_num_threads(before)
        self.flagged = frozenset(index for index, flag in flags.items() if flag)
        return np.stack([images[index] for index in range(len(seeds))])


def load_diffusers(descriptor: Descriptor, folder: Path, *, precision: str, threads: int) -> DiffusersEngine:
    """Load a pipeline from a folder: only safetensors weights, and no code from the folder.

    Raises:
        CheckpointError: the folder has no valid pipeline.
        EngineError: the precision is not available here.
    """
    on_gpu = torch.cuda.is_available()
    chosen = _precision(precision, on_gpu)
    kind = pipeline_class(folder)
    variant = descriptor.options.get("variant")
    try:
        pipeline = kind.from_pretrained(
            str(folder),
            torch_dtype=torch.bfloat16 if chosen == "bf16" else torch.float32,
            use_safetensors=True,
            local_files_only=True,
            # True needs another package, and saves memory only while loading.
            low_cpu_mem_usage=False,
            **({"variant": variant} if variant else {}),
        )
    except MemoryError:
        raise
    except Exception as error:
        raise CheckpointError(f"{folder.name}: the pipeline cannot be loaded: {describe(error)}") from error
    pipeline.set_progress_bar_config(disable=True)
    if on_gpu:
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        pipeline.to("cuda")
    return DiffusersEngine(
        pipeline,
        defaults={name: descriptor.options[name] for name in DEFAULTS if name in descriptor.options},
        takes=params_of(kind),
        resolution=descriptor.resolution,
        precision=chosen,
        threads=threads,
    )


def pipeline_class(folder: Path) -> Any:
    """The class of a pipeline, if all of its parts are classes of the libraries, none from the folder.

    Raises:
        CheckpointError: an unknown class, or parts that would run other code.
    """
    _be_quiet()
    index = read_index(folder)
    kind = getattr(diffusers, index["_class_name"], None)
    if not inspect.isclass(kind) or not issubclass(kind, diffusers.DiffusionPipeline):
        raise CheckpointError(
            f"{folder.name}: diffusers {diffusers.__version__} has no pipeline {index['_class_name'][:80]}"
        )
    for part, class_path in index.items():
        if part.startswith("_") or not isinstance(class_path, list):
            continue
        library = class_path[0] if class_path else None
        known = library in (None, "diffusers", "transformers") or hasattr(diffusers.pipelines, str(library))
        if not known or (folder / part / f"{library}.py").exists():
            raise CheckpointError(
                f"{folder.name}: refused: its {part[:40]} would run code of {str(library)[:80]}"
            )
    return kind


def params_of(kind: Any) -> tuple[str, ...]:
    """Names of the params that a pipeline takes.

    Raises:
        CheckpointError: it is neither text-to-image nor unconditional.
    """
    arguments = inspect.signature(kind.__call__).parameters
    required = [
        name
        for name, argument in arguments.items()
        if argument.default is argument.empty and argument.kind is argument.POSITIONAL_OR_KEYWORD
    ]
    others = [name for name in arguments if name in OTHER_INPUTS]
    others += [name for name in required if name not in ("self", "prompt", *others)]
    if others or "generator" not in arguments or "output_type" not in arguments:
        reason = f" (it takes {others[0]})" if others else ""
        raise CheckpointError(f"{kind.__name__} is not a text-to-image or unconditional pipeline{reason}")
    takes = [name for name, argument in ARGUMENTS.items() if argument in arguments]
    if "prompt" not in takes or "height" not in takes or "width" not in takes:
        takes = [name for name in takes if name not in ("height", "width")]
    return tuple(takes)


def image_stream(seed: int) -> torch.Generator:
    """Create one image's stream of random numbers.

    torch's own seeding of this generator uses only the lower 32 bits of a seed, so that two images of a job
    of 100,000 would be equal. Its state is set from numpy's seeding of the same generator instead
    (Mersenne Twister, Matsumoto and Nishimura 1998), with all 63 bits. Noise is drawn on the CPU, for any
    device.

    Args:
        seed: in [0, 2**63).
    """
    generator = torch.Generator().manual_seed(0)
    key = np.random.RandomState([seed & 0xFFFFFFFF, seed >> 32]).get_state(legacy=False)["state"]["key"]
    state = generator.get_state()
    words = torch.from_numpy(key.astype(np.int64))
    state[_STATE_START : _STATE_START + 8 * _STATE_WORDS] = words.view(torch.uint8)
    generator.set_state(state)
    return generator


def _generate(pipeline: Any, seed: int, arguments: dict[str, Any]) -> tuple[NDArray[np.uint8], bool]:
    """One image, uint8 [H, W, 3], and whether the pipeline's safety checker flagged it."""
    try:
        with torch.inference_mode():
            done = pipeline(**arguments, generator=image_stream(seed), output_type="np")
    except (ModelError, MemoryError):
        raise
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error
    except ValueError as error:
        raise ParamsError(f"the pipeline rejected these params: {describe(error)}") from error
    except Exception as error:
        if "can't allocate memory" in str(error):
            raise MemoryError(str(error)) from error
        raise GenerationError(f"the pipeline failed: {describe(error)}") from error
    images = np.asarray(getattr(done, "images", None))
    if images.dtype.kind != "f" or images.ndim != 4 or images.shape[0] != 1 or images.shape[3] != 3:
        raise GenerationError(f"the pipeline returned {images.dtype} {list(images.shape)}, not one RGB image")
    if not np.isfinite(images).all():
        raise GenerationError("the pipeline generated values that are not finite")
    image: NDArray[np.uint8] = np.clip(np.rint(images[0] * 255.0), 0, 255).astype(np.uint8)
    return image, any(getattr(done, "nsfw_content_detected", None) or ())


def _sibling(pipeline: Any) -> Any:
    """Copy a pipeline for another thread: weights are shared, parts without weights are copied.

    Those have state: a scheduler its steps, a fast tokenizer its padding (two threads that shared one
    sometimes used each other's padding, and generated another image).
    """
    parts = {
        name: part if isinstance(part, torch.nn.Module) else copy.deepcopy(part)
        for name, part in pipeline.components.items()
    }
    options = {name: value for name, value in pipeline.config.items() if name == "requires_safety_checker"}
    sibling = type(pipeline)(**parts, **options)
    sibling.set_progress_bar_config(disable=True)
    return sibling


def _precision(requested: str, on_gpu: bool) -> str:
    if requested == "auto":
        return "bf16" if on_gpu and torch.cuda.is_bf16_supported() else "fp32"
    if requested == "fp32" or (requested == "bf16" and on_gpu):
        return requested
    raise EngineError(f"a diffusers pipeline does not run in {requested} on {'CUDA' if on_gpu else 'a CPU'}")


def _be_quiet() -> None:
    """Keep the libraries' progress bars and hints out of a worker's log."""
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="diffusers")


def _gpu_architecture() -> str:
    major, minor = torch.cuda.get_device_capability()
    return f"cuda_sm{major}{minor}"
