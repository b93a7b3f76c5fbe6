"""`diptych bench`: measurements."""

from __future__ import annotations

from typing import Final

import click

from diptych.lazy_group import Entry, LazyGroup

COMMANDS: Final = {
    "load": Entry("bench.load:load", "Send real pushes to both HTTP workers, and measure."),
    "queue": Entry(
        "bench.queue:queue", "Send jobs through the queue, and measure until their records are visible."
    ),
    "cold": Entry(
        "bench.cold:cold", "Start the workers repeatedly, and measure until the first image is stored."
    ),
    "ceiling": Entry("bench.ceiling:ceiling", "Measure the maximum rate of the load generator."),
    "compare": Entry("bench.compare:compare", "Run a paired experiment from a TOML file."),
    "scale": Entry("bench.scale:scale", "Measure 1, 2, 4, 8 workers; simulate jobs in a cloud."),
    "report": Entry("bench.report:report", "Rebuild a run's report, or compare two runs."),
}
"""In the order of use."""


@click.group(cls=LazyGroup, entries=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def bench() -> None:
    """Measure the targets: load, queue, paired experiments, cold starts, scaling.

    A run writes a folder with every request, the configuration, the environment and a report.
    """
