"""Generators exported to ONNX, from latents to an image, run by OpenVINO."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.descriptor import Descriptor
from model.engines.isa import instruction_set
from model.engines.onnx_file import external_files
from model.engines.openvino_import import import_openvino
from model.engines.precision import runs_bf16
from model.errors import CheckpointError, EngineError, GenerationError, last_line
from model.protocol import LatentEngine

PRECISIONS: Final = {"fp32": "f32", "bf16": "bf16"}
LAYOUTS: Final = ("nchw", "nhwc")
RANGES: Final = ("signed", "unit", "byte")
"""Value ranges of an output: -1..1, 0..1, 0..255."""
MAX_LATENT: Final = 65536


@dataclass(frozen=True, slots=True)
class OnnxGenerator:
    """A compiled generator, for one image at a time.

    Args:
        compiled: OpenVINO's model.
        input_shape: (1, Z) or (1, Z, 1, 1).
        parameters: number of weights.
        version: version of OpenVINO.
    """

    compiled: Any
    input_shape: tuple[int, ...]
    parameters: int
    version: str

    @property
    def latent_size(self) -> int:
        """Length of a latent vector."""
        return self.input_shape[1]

    def feed(self, row: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        """Convert a latent, float32 [latent_size], to the model's input."""
        return row.reshape(self.input_shape).astype(self.compiled.input(0).element_type.to_dtype())


class OnnxEngine(LatentEngine):
    """An ONNX generator on OpenVINO.

    Every image is its own inference on one thread, so its bytes depend on nothing around it; more threads
    generate more images at a time.

    Args:
        generator: from `compile_generator`.
        layout: "nchw" or "nhwc".
        value_range: "signed", "unit" or "byte".
        resolution: longer side in pixels.
        precision: the precision it was compiled for.
        threads: images generated at a time, as compiled.
    """

    name = "openvino"

    def __init__(
        self,
        generator: OnnxGenerator,
        *,
        layout: str,
        value_range: str,
        resolution: int,
        precision: str,
        threads: int,
    ) -> None:
        ov = import_openvino()
        self.version = generator.version
        self.precision = precision
        self.isa = instruction_set()
        self.threads = threads
        self.resolution = resolution
        self.latent_size = generator.latent_size
        self._generator = generator
        self._layout = layout
        self._range = value_range
        self._queue = ov.AsyncInferQueue(generator.compiled, threads)

    def generate_from_latents(self, rows: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Generate one image per latent; see `model.protocol.LatentEngine.generate_from_latents`."""
        outputs: list[NDArray[Any] | None] = [None] * len(rows)

        def keep(request: Any, index: int) -> None:
            outputs[index] = request.get_output_tensor(0).data.copy()

        self._queue.set_callback(keep)
        try:
            for index, row in enumerate(rows):
                self._queue.start_async({0: self._generator.feed(row)}, index)
            self._queue.wait_all()
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot run this ONNX model: {last_line(error)}") from error
        images = [to_image(output, self._layout, self._range) for output in outputs if output is not None]
        return np.stack(images)


def load_onnx(descriptor: Descriptor, path: Path, *, precision: str, threads: int) -> OnnxEngine:
    """Load an ONNX generator from its descriptor.

    Raises:
        CheckpointError: the file is missing, not ONNX, or not a generator.
        EngineError: OpenVINO cannot run it here in this precision.
    """
    chosen = "fp32" if precision == "auto" else precision
    if chosen not in PRECISIONS:
        raise EngineError(f"an ONNX generator does not run in {precision}: use {' or '.join(PRECISIONS)}")
    if chosen == "bf16" and not runs_bf16(instruction_set()):
        raise EngineError("bf16 needs a CPU with AVX512_BF16 or AMX; use fp32 or auto")
    generator = compile_generator(path, int(descriptor.options["latent"]), precision=chosen, threads=threads)
    return OnnxEngine(
        generator,
        layout=str(descriptor.options["layout"]),
        value_range=str(descriptor.options["range"]),
        resolution=descriptor.resolution,
        precision=chosen,
        threads=threads,
    )


def compile_generator(path: Path, latent: int | None, *, precision: str, threads: int) -> OnnxGenerator:
    """Read an ONNX file, check that it is a generator, and compile it for one image at a time.

    Args:
        path: a file that contains its weights.
        latent: length of a latent vector, needed if the file does not define it.
        precision: "fp32" or "bf16".
        threads: images generated at a time.
    Raises:
        CheckpointError: the file is missing, not ONNX, or not a generator.
        EngineError: OpenVINO cannot run it here.
    """
    ov = import_openvino()
    model = _read(ov, path)
    shape = _input_shape(model, path.name, latent)
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
        "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
        # Every worker process would pin its threads to the same first cores.
        "ENABLE_CPU_PINNING": False,
    }
    parameters = _parameters(model)
    try:
        model.reshape(list(shape))
        compiled = ov.Core().compile_model(model, "CPU", options)
    except RuntimeError as error:
        raise EngineError(f"OpenVINO cannot run {path.name} in {precision}: {last_line(error)}") from error
    return OnnxGenerator(compiled, shape, parameters, ov.__version__.partition("-")[0])


def to_image(output: NDArray[Any], layout: str, value_range: str) -> NDArray[np.uint8]:
    """Convert an output to an image.

    Args:
        output: [1, 3, H, W] or [1, H, W, 3].
        layout: "nhwc" or "nchw".
        value_range: "signed", "unit" or "byte".
    Returns:
        uint8 [H, W, 3].
    Raises:
        GenerationError: another shape, or a value that is not finite.
    """
    if output.ndim != 4 or output.shape[0] != 1 or output.shape[1 if layout == "nchw" else 3] != 3:
        raise GenerationError(f"an ONNX generator returned {list(output.shape)}, not one {layout} image")
    image = output[0].transpose(1, 2, 0) if layout == "nchw" else output[0]
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    values = image.astype(np.float32)
    if not np.isfinite(values).all():
        raise GenerationError("an ONNX generator returned values that are not finite")
    scaled = {"signed": (values + 1) * 127.5, "unit": values * 255, "byte": values}[value_range]
    return np.ascontiguousarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


def _read(ov: Any, path: Path) -> Any:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path.name}: cannot be read: {error.strerror}") from None
    # OpenVINO would look for them in the current folder: files that no digest pins.
    external = external_files(content, path.name)
    if external:
        raise CheckpointError(
            f"{path.name}: its weights are in other files ({external[0][:80]}): export it as one file"
        )
    try:
        return ov.Core().read_model(content)
    except RuntimeError as error:
        raise CheckpointError(f"{path.name}: OpenVINO cannot read it as ONNX: {last_line(error)}") from None


def _parameters(model: Any) -> int:
    constants = [node for node in model.get_ops() if node.get_type_name() == "Constant"]
    return sum(
        int(np.prod(list(node.get_output_shape(0))))
        for node in constants
        if node.get_element_type().is_real()
    )


def _input_shape(model: Any, name: str, latent: int | None) -> tuple[int, ...]:
    """(1, Z) or (1, Z, 1, 1), whichever the model takes."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise CheckpointError(
            f"{name}: {len(model.inputs)} inputs and {len(model.outputs)} outputs; a generator has one"
            " of each: latents and image"
        )
    shape = model.inputs[0].partial_shape
    dims = [-1 if dim.is_dynamic else dim.get_length() for dim in shape] if shape.rank.is_static else []
    fits = len(dims) == 2 or (len(dims) == 4 and all(dim in (-1, 1) for dim in dims[2:]))
    if not fits or not model.inputs[0].element_type.is_real():
        raise CheckpointError(f"{name}: its input is {shape}, not float latents [N,Z] or [N,Z,1,1]")
    if dims[0] not in (-1, 1):
        raise CheckpointError(f"{name}: its batch is fixed at {dims[0]}: export it with 1 or a dynamic one")
    if latent is not None and dims[1] not in (-1, latent):
        raise CheckpointError(f"{name}: its latents have length {dims[1]}, not {latent}")
    size = latent if dims[1] == -1 else dims[1]
    if size is None:
        raise CheckpointError(
            f"{name}: it does not define the length of its latents: give --option latent=LENGTH"
        )
    if not 1 <= size <= MAX_LATENT:
        raise CheckpointError(f"{name}: its latents have length {size}, outside 1..{MAX_LATENT}")
    return (1, size) if len(dims) == 2 else (1, size, 1, 1)
