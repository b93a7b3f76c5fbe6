"""Adding a model under a name, and removing it again. The operator's side: no message gets here."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from model.adding.form import Form, parse_form
from model.adding.request import AddRequest
from model.descriptor import SUFFIX, Descriptor, first_complaint, write_descriptor
from model.errors import FormError
from model.registry import NAME_PATTERN, ModelInfo, Registry


def add_model(model_dir: Path, name: str, form: str, request: AddRequest) -> ModelInfo:
    """Describe a model and register it.

    Args:
        model_dir: the folder of the descriptors; it is made.
        name: registered name.
        form: "diffusers:…", "onnx:…" or "python:…".
        request: what else the operator says.
    Returns:
        The model, as every command finds it from now on.
    Raises:
        FormError: a name that is taken or none, a wrong form or option.
        CheckpointError: a file is missing, damaged, or of another kind.
        EngineError: what the family needs is not installed.
    """
    registry = Registry(model_dir)
    _check_name(name)
    if name in registry.names():
        raise FormError(
            f"there is a model {name} already: choose another name, or `diptych model remove {name}`"
        )
    request.check()
    try:
        descriptor = _describe(parse_form(form), request)
    except ValidationError as error:
        raise FormError(f"{name} cannot be described: {first_complaint(error)}") from None
    write_descriptor(model_dir / f"{name}{SUFFIX}", _beside(model_dir, descriptor))
    return registry.get(name)


def remove_model(model_dir: Path, name: str) -> Path:
    """Remove a model's descriptor; the files that it names stay.

    Returns:
        The descriptor that is gone.
    Raises:
        FormError: there is none of that name, it is a checkpoint, or it cannot be removed.
    """
    _check_name(name)
    path = model_dir / f"{name}{SUFFIX}"
    try:
        path.unlink()
    except FileNotFoundError:
        registry = Registry(model_dir)
        if name in registry.names():
            raise FormError(f"{name} was not added but is a checkpoint of its own: nothing removed") from None
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


def _beside(model_dir: Path, descriptor: Descriptor) -> Descriptor:
    """Files inside the model folder are named from there, so that the folder can be copied to a worker."""
    if not descriptor.local:
        return descriptor
    source, folder = Path(descriptor.source), model_dir.absolute()
    if not source.is_relative_to(folder):
        return descriptor
    return descriptor.model_copy(update={"source": source.relative_to(folder).as_posix()})


def _check_name(name: str) -> None:
    if not NAME_PATTERN.fullmatch(name):
        shown = repr(name if len(name) <= 80 else name[:77] + "...")
        raise FormError(f"{shown} is no name for a model: a-z, 0-9 and -, at most 63, no path or URL")
