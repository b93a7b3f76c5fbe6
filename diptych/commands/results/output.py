"""The lines that `diptych results` prints: for people, or JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from diptych.commands.options import json_line
from results.browse import ListedImage, list_images
from results.comparison import metrics
from results.comparison.format import NOTHING, amount
from results.comparison.metrics import Metric
from results.documents import Manifest
from results.records import StoredRecord, is_cold, iter_records
from results.stores.base import Store
from results.targets import Target


def image_lines(
    store: Store, manifest: Manifest, target: Target, after: int | None, as_json: bool
) -> Iterator[str]:
    """A line per image of a target, as the store lists them."""
    for image in list_images(store, manifest.job_id, target, after_index=after):
        yield (
            json_line(image_as_dict(image))
            if as_json
            else (
                f"{target:<9}  {image.index:>8}  {size(image.size_bytes):>9}"
                f"  {stamp(image.created_at)}  {image.name}"
            )
        )


def record_lines(
    store: Store, manifest: Manifest, target: Target, after: int | None, as_json: bool
) -> Iterator[str]:
    """A line per record of a target."""
    for stored in iter_records(store, manifest.job_id, target, after_task=after, left_out=_tell_left_out):
        yield json_line(record_as_dict(stored)) if as_json else _record_line(stored)


def _tell_left_out(problem: str) -> None:
    click.echo(f"left out: {' '.join(problem.split())}", err=True)


def _record_line(stored: StoredRecord) -> str:
    record = stored.record
    start = "cold" if is_cold(record) else "warm"
    values = "".join(
        f"  {metric.label} {measured(metric, stored):>10}" for metric in metrics.ratio_metrics(cold=False)
    )
    found = f", {record.images_found} found" if record.images_found else ""
    return (
        f"{record.target:<9}  task {record.task_index:>6}  {start}{values}"
        f"  {record.image_count} images{found}"
    )


def measured(metric: Metric, stored: StoredRecord) -> str:
    """A metric of one task with its unit, seconds in milliseconds' steps."""
    value = metric.of(stored)
    if value is None:
        return NOTHING
    return f"{value:.3f} s" if metric.unit == "s" else amount(metric.unit, value)


def image_as_dict(image: ListedImage) -> dict[str, Any]:
    """What the store says about an image."""
    return {
        "target": image.target,
        "index": image.index,
        "name": image.name,
        "bytes": image.size_bytes,
        "created_at": image.created_at.isoformat(),
    }


def record_as_dict(stored: StoredRecord) -> dict[str, Any]:
    """A record with the store's stamp and what is derived from both."""
    recorded = stored.record.model_dump(mode="json")
    derived = {metric.name: metric.of(stored) for metric in metrics.METRICS if metric.name not in recorded}
    return {**recorded, "created_at": stored.created_at.isoformat(), **derived}


def print_fields(title: str, fields: Mapping[str, object]) -> None:
    """Print a title and, below it, names and values in two columns."""
    click.echo(click.style(title, bold=True))
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        click.echo(f"  {name:<{width}}  {value}")


def size(count: int) -> str:
    """A size in bytes, in a unit that suits it."""
    if count < 1024:
        return f"{count} B"
    if count < 1024**2:
        return f"{count / 1024:.1f} KiB"
    return f"{count / 1024**2:.1f} MiB"


def stamp(moment: datetime) -> str:
    """A UTC stamp, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%SZ}"
