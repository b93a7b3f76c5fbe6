"""`diptych model …`: one file per command, or per pair of commands."""

from __future__ import annotations

from typing import Final

import click

from diptych.lazy_group import Entry, LazyGroup

COMMANDS: Final = {
    "add": Entry(
        "diptych.commands.model.add", "add", "Register a pipeline, an ONNX file or an engine of your own."
    ),
    "average": Entry("diptych.commands.model.average", "average", "Average checkpoints of one run."),
    "calibrate": Entry(
        "diptych.commands.model.calibrate", "calibrate", "Measure the time per image on this machine."
    ),
    "dataset": Entry("diptych.commands.model.dataset", "dataset", "Generate training data."),
    "export": Entry("diptych.commands.model.train", "export", "Export a training run as a checkpoint."),
    "gate": Entry(
        "diptych.commands.model.gate", "gate", "Measure lower precisions, so that auto may use them."
    ),
    "import": Entry("diptych.commands.model.import_zoo", "import_", "Import a published Progressive GAN."),
    "info": Entry("diptych.commands.model.info", "info", "Show a model's properties."),
    "interpolate": Entry("diptych.commands.model.interpolate", "interpolate", "Interpolate between images."),
    "list": Entry("diptych.commands.model.info", "list_", "List the registered models."),
    "push": Entry("diptych.commands.model.push", "push", "Upload a model's checkpoint to the store."),
    "quality": Entry(
        "diptych.commands.model.quality", "quality", "Measure image quality against real images."
    ),
    "remove": Entry("diptych.commands.model.add", "remove", "Remove a model that was added."),
    "sample": Entry("diptych.commands.model.sample", "sample", "Generate a sheet of images."),
    "train": Entry("diptych.commands.model.train", "train", "Train a Progressive GAN, or resume a run."),
}


@click.group(cls=LazyGroup, entries=COMMANDS)
def model() -> None:
    """List, train, measure and register models."""
