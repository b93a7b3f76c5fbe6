"""`diptych bench`: measurements. Each sub-command is imported when it runs."""

from __future__ import annotations

import importlib
from typing import Final

import click

COMMANDS: Final = {
    "load": ("bench.load.cli", "load", "Send real pushes at both HTTP workers, and measure."),
    "queue": ("bench.queue.cli", "queue", "Send jobs through the queue, and measure until their records."),
    "cold": (
        "bench.cold.cli",
        "cold",
        "Start the workers anew, and measure until the first image is stored.",
    ),
    "ceiling": ("bench.load.ceiling_cli", "ceiling", "Measure what the load generator itself can do."),
    "compare": ("bench.experiment.cli", "compare", "A paired experiment, from a TOML file to a verdict."),
    "scale": ("bench.scale.cli", "scale", "Measure 1, 2, 4, 8 workers; simulate jobs in a cloud."),
    "report": ("bench.run_folder_report", "report", "Write a run's report again, or set two side by side."),
}
"""Module, attribute and help of each, in the order of use."""


class BenchGroup(click.Group):
    """A group that imports only the sub-command that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """The names, in the order of the table."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the sub-command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=BenchGroup, context_settings={"help_option_names": ["-h", "--help"]})
def bench() -> None:
    """Measure the targets: load, queue, paired experiments, cold starts, scaling.

    A run writes a folder with every request, the configuration, the environment and a report.
    """
