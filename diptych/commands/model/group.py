"""`diptych model …`: list, sample, time, train, import."""

from __future__ import annotations

from typing import Final

import click

from diptych.lazy_group import Entry, LazyGroup

COMMANDS: Final = {
    "add": Entry(
        "diptych.commands.model.add", "add", "Register a pipeline, an ONNX file or an engine of your own."
    ),
    "average": Entry("diptych.commands.model.average", "average", "Average checkpoints of one run."),
    "calibrate": Entry("diptych.commands.model.calibrate", "calibrate", "Time a model on this machine."),
    "dataset": Entry("diptych.commands.model.dataset", "dataset", "Make training data: synthetic faces."),
    "export": Entry("diptych.commands.model.train", "export", "Make a checkpoint of a training run."),
    "gate": Entry(
        "diptych.commands.model.gate", "gate", "Measure lower precisions, so that auto may use them."
    ),
    "import": Entry("diptych.commands.model.import_zoo", "import_", "Import a published Progressive GAN."),
    "info": Entry("diptych.commands.model.commands", "info", "Say what is known of a model."),
    "interpolate": Entry(
        "diptych.commands.model.commands",
        "interpolate",
        "Walk from image to image on the sphere of the latents.",
    ),
    "list": Entry("diptych.commands.model.commands", "list_", "List the registered models."),
    "push": Entry(
        "diptych.commands.model.push", "push", "Put a model into the store, where workers fetch it."
    ),
    "quality": Entry("diptych.commands.model.quality", "quality", "Measure a model against real images."),
    "remove": Entry("diptych.commands.model.add", "remove", "Take a model out of the registry again."),
    "sample": Entry(
        "diptych.commands.model.commands",
        "sample",
        "Generate a sheet of images: the first COUNT of a job with this seed.",
    ),
    "train": Entry("diptych.commands.model.train", "train", "Train a Progressive GAN, or go on with a run."),
}


@click.group(cls=LazyGroup, entries=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def model() -> None:
    """List, check, sample, time, train and import models."""
