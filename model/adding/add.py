"""Register a model under a name, and remove it. Run by operators only, never from a message."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from model.adding.form import Form, parse_form
from model.adding.request import AddRequest
from model.descriptor import SUFFIX, Descriptor, first_problem, write_descriptor
from model.errors import FormError, quoted
from model.registry import NAME_PATTERN, ModelInfo, Registry


def add_model(model_dir: Path, name: str, form: str, request: AddRequest) -> ModelInfo:
    """Describe a model and register it.

    Args:
        model_dir: the folder of descriptors; created if missing.
        name: registered name.
        form: "diffusers:…", "onnx:…" or "python:…".
        request: the other options.
    Returns:
        The registered model.
    Raises:
        FormError: an existing or invalid name, an invalid form or option.
        CheckpointError: a file is missing, damaged or of another kind.
        EngineError: a runtime of the family is not installed.
    """
    registry = Registry(model_dir)
    _check_name(name)
    if name in registry.names():
        raise FormError(
            f"model {name} exists already: choose another name, or run `diptych model remove {name}`"
        )
    request.check()
    try:
        descriptor = _describe(parse_form(form), request)
    except ValidationError as error:
        raise FormError(f"{name} cannot be described: {first_problem(error)}") from None
    write_descriptor(model_dir / f"{name}{SUFFIX}", _relocatable(model_dir, descriptor))
    return registry.get(name)


def remove_model(model_dir: Path, name: str) -> Path:
    """Remove a model's descriptor; the files that it names are kept.

    Returns:
        The removed descriptor.
    Raises:
        FormError: the model does not exist, is a checkpoint, or cannot be removed.
    """
    _check_name(name)
    path = model_dir / f"{name}{SUFFIX}"
    try:
        path.unlink()
    except FileNotFoundError:
        registry = Registry(model_dir)
        if name in registry.names():
            raise FormError(
                f"{name} is a checkpoint, not a model that was added: nothing was removed"
            ) from None
        raise FormError(f"no model {name} in {model_dir}") from None
    except OSError as error:
        raise FormError(f"{path}: cannot be removed: {error.strerror}") from None
    return path


def _describe(form: Form, request: AddRequest) -> Descriptor:
    # Imported here: each needs its runtime.
    if form.family == "diffusers":
        from model.adding.diffusers import describe_diffusers

        return describe_diffusers(form.source, request)
    if form.family == "onnx":
        from model.adding.onnx import describe_onnx

        return describe_onnx(Path(form.source).expanduser(), request)
    from model.adding.python import describe_python

    return describe_python(form.source, request)


def _relocatable(model_dir: Path, descriptor: Descriptor) -> Descriptor:
    """Make paths inside the model folder relative, so that the folder can be copied to a worker."""
    if not descriptor.local:
        return descriptor
    source, folder = Path(descriptor.source), model_dir.absolute()
    if not source.is_relative_to(folder):
        return descriptor
    return descriptor.model_copy(update={"source": source.relative_to(folder).as_posix()})


def _check_name(name: str) -> None:
    if not NAME_PATTERN.fullmatch(name):
        raise FormError(f"{quoted(name)} is not a model name: use a-z, 0-9 and -, at most 63, no path or URL")
