"""Load a model into an engine: verify the checkpoint, then load it in the chosen runtime."""

from __future__ import annotations

from model.checkpoint import read_tensors
from model.errors import DigestError, EngineError
from model.protocol import Engine
from model.registry import ModelInfo, file_digest

ENGINES = ("openvino", "torch")
PRECISIONS = ("auto", "fp32", "bf16", "int8")


def load_engine(info: ModelInfo, *, engine: str, precision: str, threads: int) -> Engine:
    """Load a model into an engine.

    Args:
        info: the model, from the registry.
        engine: "openvino", or "torch", which uses a GPU if there is one; families other than "pgan" have
            one engine each and ignore it.
        precision: "auto", "fp32", "bf16" or "int8".
        threads: inference threads, at least 1. The pixels do not depend on it.
    Raises:
        DigestError: the file has changed since `info` was read.
        CheckpointError: the checkpoint is damaged.
        EngineError: unknown or missing engine, or a precision that it cannot run here.
    """
    if engine not in ENGINES:
        raise EngineError(f"unknown engine {engine}; known engines: {', '.join(ENGINES)}")
    if precision not in PRECISIONS:
        raise EngineError(f"unknown precision {precision}; known precisions: {', '.join(PRECISIONS)}")
    if threads < 1:
        raise EngineError(f"threads must be at least 1, not {threads}")
    if info.family != "pgan":
        from model.engines.described import load_described

        return load_described(info, precision=precision, threads=threads)
    if file_digest(info.path) != info.digest:
        raise DigestError(f"{info.path.name} has changed since it was registered as {info.digest[:19]}")
    weights, config = read_tensors(info.path)
    # Imported here: each runtime is large, and a worker uses one.
    if engine == "torch":
        from model.engines.torch import TorchEngine, has_gpu

        if has_gpu():
            from model.engines.torch_gpu import TorchGpuEngine

            return TorchGpuEngine(weights, config, precision=precision)
        return TorchEngine(weights, config, precision=precision, threads=threads)
    from model.engines.openvino import OpenVinoEngine

    return OpenVinoEngine(weights, config, precision=precision, threads=threads)
