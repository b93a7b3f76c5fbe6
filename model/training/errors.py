"""Errors of training; all are for the person at the terminal."""

from __future__ import annotations

from model.errors import ModelError


class TrainingError(ModelError):
    """Training cannot start, or cannot go on."""

    code = "training_failed"


class TrainingConfigError(TrainingError):
    """The run's config is unreadable or does not fit together."""

    code = "bad_training_config"


class DatasetError(TrainingError):
    """The images cannot be trained on."""

    code = "bad_dataset"


class DivergedError(TrainingError):
    """A loss or a weight is no longer a finite number."""

    code = "training_diverged"
