"""`diptych results …`: where each command is defined."""

from __future__ import annotations

from typing import Final

import click

from diptych.lazy_group import Entry, LazyGroup

COMMANDS: Final = {
    "ls": Entry("results.commands:ls", "List a job's images or records."),
    "show": Entry("results.commands:show", "Show a job, an image or a task."),
    "download": Entry("results.commands:download", "Copy images and records to a folder."),
    "contact-sheet": Entry("results.commands:contact_sheet", "Write one PNG with all panels side by side."),
    "compare": Entry("results.compare:compare", "Compare container and function, over one or more jobs."),
    "cost": Entry("results.cost:cost", "Show what a job has cost."),
    "export": Entry("results.export:export", "Export as zip, tar, WebDataset, Parquet, CSV or JSON lines."),
    "gallery": Entry("results.gallery:gallery", "Write static pages with thumbnails."),
    "report": Entry("results.report:report", "Write a comparison as one HTML file with plots."),
    "verify": Entry("results.verify:verify", "Generate images again and compare them with the stored ones."),
}


@click.group(cls=LazyGroup, entries=COMMANDS)
def results() -> None:
    """Browse, compare and export a job's results."""
