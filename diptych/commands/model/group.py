"""`diptych model …`: one file per command, or per pair of commands."""

from __future__ import annotations

from typing import Final

import click

from diptych.lazy_group import Entry, LazyGroup

COMMANDS: Final = {
    "add": Entry("model.add:add", "Register a pipeline, an ONNX file or an engine of your own."),
    "average": Entry("model.average:average", "Average checkpoints of one run."),
    "calibrate": Entry("model.calibrate:calibrate", "Measure the time per image on this machine."),
    "dataset": Entry("model.dataset:dataset", "Generate training data."),
    "export": Entry("model.train:export", "Export a training run as a checkpoint."),
    "gate": Entry("model.gate:gate", "Measure lower precisions, so that auto may use them."),
    "import": Entry("model.import_zoo:import_", "Import a published Progressive GAN."),
    "info": Entry("model.info:info", "Show a model's properties."),
    "interpolate": Entry("model.interpolate:interpolate", "Interpolate between images."),
    "list": Entry("model.info:list_", "List the registered models."),
    "push": Entry("model.push:push", "Upload a model's checkpoint to the store."),
    "quality": Entry("model.quality:quality", "Measure image quality against real images."),
    "remove": Entry("model.add:remove", "Remove a model that was added."),
    "sample": Entry("model.sample:sample", "Generate a sheet of images."),
    "train": Entry("model.train:train", "Train a Progressive GAN, or resume a run."),
}


@click.group(cls=LazyGroup, entries=COMMANDS)
def model() -> None:
    """List, train, measure and register models."""
