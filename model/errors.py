"""Errors of `model`, which `pipeline` turns into outcomes, and helpers for their messages."""

from __future__ import annotations


class ModelError(Exception):
    """Base class of every error that `model` raises."""

    code = "model_error"


class UnknownModelError(ModelError):
    """No model of that name is registered here."""

    code = "unknown_model"


class CheckpointError(ModelError):
    """A checkpoint is missing, damaged, a pickle, or does not match its config."""

    code = "bad_checkpoint"


class DigestError(ModelError):
    """A checkpoint's digest differs from the requested one."""

    code = "model_digest_mismatch"


class ParamsError(ModelError):
    """The model's family does not accept these params."""

    code = "bad_params"


class EngineError(ModelError):
    """An engine is not installed here, or cannot run this model."""

    code = "engine_unavailable"


class FormError(ModelError):
    """An argument of `model add` or `model remove` is invalid."""

    code = "bad_form"


class GenerationError(ModelError):
    """A third-party engine failed while generating, or returned no image."""

    code = "painting_failed"


def describe(error: Exception) -> str:
    """An error of other code as one line: its class and its message, shortened."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


def last_line(error: Exception) -> str:
    """The last line of a message, where OpenVINO gives the cause."""
    return str(error).strip().rpartition("\n")[2][:300]


def quoted(text: str) -> str:
    """User input in quotes, shortened."""
    return repr(text if len(text) <= 80 else text[:77] + "...")
