"""Jobs with known timings, for the tests of the comparison and its report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from io import StringIO
from typing import Any

import numpy as np
from rich.console import Console

from results.comparison.schema import Comparison
from results.comparison.table import comparison_table
from results.documents import JSON_TYPE, Manifest, dump
from results.naming import manifest_name, record_name
from results.record import ImageEntry
from results.stores.directory import DirectoryStore
from results.targets import Target
from tests.support.builders.pictures import JOB, START, manifest, record

COLD: dict[str, Any] = {"cold_start": True, "prior_requests": 0, "model_load_s": 1.0, "process_s": 4.0}


def put(
    store: DirectoryStore, task: int, target: Target, round_trip_s: float, *, job: str = JOB, **values: Any
) -> None:
    """Write a record that the store will say was created `round_trip_s` after the publication started."""
    name = record_name(job, target, task)
    written = record(task, target, job_id=job, **values)
    store.create(name, dump(written), JSON_TYPE)
    created_s = (written.publication_started_at + timedelta(seconds=round_trip_s)).timestamp()
    os.utime(store.root / name, (created_s, created_s))


def text_of(comparison: Comparison, width: int = 120) -> str:
    """What a terminal of so many columns shows."""
    console = Console(width=width, file=StringIO())
    with console.capture() as captured:
        console.print(comparison_table(comparison))
    return captured.get()


def put_manifest(store: DirectoryStore, **changes: Any) -> Manifest:
    """Write a job's manifest."""
    job = manifest(**changes)
    store.create(manifest_name(job.job_id), dump(job), JSON_TYPE)
    return job


def entries(indices: Sequence[int], pixels: str = "same", file: str = "same") -> tuple[ImageEntry, ...]:
    """Image entries with given hashes: equal words, equal images."""
    return tuple(
        ImageEntry(
            index=index, seed=index, sha256=f"{file}-{index}", pixel_sha256=f"{pixels}-{index}", bytes=9
        )
        for index in indices
    )


def put_trial(
    store: DirectoryStore,
    number: int,
    *,
    effect: float = 0.0,
    sd: float = 0.02,
    tasks: int = 4,
    cold: bool = True,
    **changes: Any,
) -> str:
    """Write one job of a few tasks on both targets; the first task of each is cold.

    Args:
        store: where to.
        number: of the trial: its name, its seed, and the hour of its submission.
        effect: log of how much longer the function takes.
        sd: of what is particular to a target in this trial, on the log scale.
        tasks: per target.
        cold: the first task of each target is.
        changes: of the manifest.
    Returns:
        The job's name.
    """
    stream = np.random.default_rng(number)
    begin = START + timedelta(hours=number)
    name = f"trial-{number:02d}"
    values: dict[str, Any] = {"job_id": name, "count": 4 * tasks, "seed": number, "submitted_at": begin}
    job = put_manifest(store, **(values | changes))
    for target in job.targets:
        factor = float(np.exp(stream.normal(0, sd) + (effect if target == "function" else 0.0)))
        for task in range(tasks):
            is_cold = cold and task == 0
            work_s = factor * float(np.exp(stream.normal(0, 0.02))) + (1.0 if is_cold else 0.0)
            put(
                store,
                task,
                target,
                1.0 + 2.0 * factor + work_s,
                job=name,
                publication_started_at=begin,
                received_at=begin + timedelta(seconds=1.0),
                process_s=work_s,
                model_load_s=1.0 if is_cold else 0.0,
                cold_start=is_cold,
                prior_requests=0 if is_cold else task + 1,
                cpu_user_s=factor,
            )
    return name
