"""Errors of the model leaf. `pipeline` turns them into outcomes; all are permanent unless said."""

from __future__ import annotations


class ModelError(Exception):
    """Base of every error that `model` raises."""

    code = "model_error"


class UnknownModelError(ModelError):
    """No model of that name is registered here."""

    code = "unknown_model"


class CheckpointError(ModelError):
    """A checkpoint is missing, damaged, a pickle, or does not fit its own config."""

    code = "bad_checkpoint"


class DigestError(ModelError):
    """A checkpoint's digest is not the one asked for."""

    code = "model_digest_mismatch"


class ParamsError(ModelError):
    """Params that the model's family does not take."""

    code = "bad_params"


class EngineError(ModelError):
    """An engine is not installed here, or cannot run this model."""

    code = "engine_unavailable"


class FormError(ModelError):
    """What the operator gave to `model add` or `model remove` cannot be used."""

    code = "bad_form"


class GenerationError(ModelError):
    """An engine that is not ours failed while generating, or generated no image."""

    code = "painting_failed"
