"""`diptych results …`: where each command is defined."""

from __future__ import annotations

from typing import Final

import click

from diptych.lazy_group import Entry, LazyGroup

COMMANDS: Final = {
    "ls": Entry("diptych.commands.results.commands", "ls", "List a job's images or records."),
    "show": Entry("diptych.commands.results.commands", "show", "Show a job, an image or a task."),
    "download": Entry(
        "diptych.commands.results.commands", "download", "Copy images and records to a folder."
    ),
    "contact-sheet": Entry(
        "diptych.commands.results.commands", "contact_sheet", "Write one PNG with all panels side by side."
    ),
    "compare": Entry(
        "diptych.commands.results.compare",
        "compare",
        "Compare container and function, over one or more jobs.",
    ),
    "cost": Entry("diptych.commands.results.cost", "cost", "Show what a job has cost."),
    "export": Entry(
        "diptych.commands.results.export",
        "export",
        "Export as zip, tar, WebDataset, Parquet, CSV or JSON lines.",
    ),
    "gallery": Entry("diptych.commands.results.gallery", "gallery", "Write static pages with thumbnails."),
    "report": Entry(
        "diptych.commands.results.report", "report", "Write a comparison as one HTML file with plots."
    ),
    "verify": Entry(
        "diptych.commands.results.verify",
        "verify",
        "Generate images again and compare them with the stored ones.",
    ),
}


@click.group(cls=LazyGroup, entries=COMMANDS)
def results() -> None:
    """Browse, compare and export a job's results."""
