"""The targets of one job, or of several alike, side by side. One run describes; 20 trials may decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from results.comparison.columns import JobColumns, TargetColumns, read_columns, seen_conditions
from results.comparison.metrics import CONDITIONS
from results.comparison.parity import Parity, measure_parity
from results.comparison.ratios import job_ratios, trial_ratios
from results.comparison.schema import ONE_RUN, ComparedJob, Comparison
from results.comparison.summary import summarise
from results.documents import Manifest
from results.errors import ResultsError
from results.job_state import JobStatus, load_manifest
from results.statistics.verdict import MIN_TRIALS
from results.stores.base import Store
from results.targets import TARGET_INFO, Target

MARGIN: Final = 0.05
SEED: Final = 0
_ALIKE: Final = (
    *("model", "model_digest", "count", "images_per_task", "precision", "params", "targets", "resolution"),
)
"""What jobs must have in common to be trials of one another. Seeds may differ."""
_LOOPBACK: Final = ("?endpoint=http://127.0.0.1", "?endpoint=http://localhost")


class ComparisonError(ResultsError):
    """Jobs cannot be compared as trials of one another."""


def compare_job(store: Store, job_id: str) -> Comparison:
    """Summarise what a job's records say of its targets; see `read_trials` for what is raised."""
    return compare(store, read_trials(store, [job_id]))


def read_trials(
    store: Store, job_ids: Sequence[str], *, on_progress: Callable[[int], None] | None = None
) -> list[JobColumns]:
    """Read the records of one job, or of several that are trials of one another.

    Args:
        store: where the jobs are.
        job_ids: at least one.
        on_progress: called with the number of records that have been read since it was called last.
    Returns:
        The jobs in the order of their submission.
    Raises:
        ValueError: a name cannot be a job's.
        JobNotFound: there is no such job.
        ComparisonError: the jobs are not alike, or one is named twice.
        DocumentError: a manifest is damaged. Damaged records are counted and left out instead.
        StoreError: the store failed.
    """
    manifests = [load_manifest(store, job_id) for job_id in job_ids]
    check_alike(manifests)
    manifests.sort(key=lambda manifest: (manifest.submitted_at, manifest.job_id))
    return [read_columns(store, manifest, on_progress=on_progress) for manifest in manifests]


def check_alike(manifests: Sequence[Manifest]) -> None:
    """Raise ComparisonError unless the jobs are trials of one another."""
    first = manifests[0]
    names = [manifest.job_id for manifest in manifests]
    for name in names:
        if names.count(name) > 1:
            raise ComparisonError(f"job {name} is named twice: a trial counts once")
    for other in manifests[1:]:
        for field in _ALIKE:
            a, b = (getattr(manifest, field) for manifest in (first, other))
            if a != b:
                raise ComparisonError(
                    f"jobs {first.job_id} and {other.job_id} are no trials of one another: their {field} is"
                    f" {_short(a)} and {_short(b)}; compare jobs that were asked for alike"
                )


def compare(
    store: Store, jobs: Sequence[JobColumns], *, margin: float = MARGIN, seed: int = SEED
) -> Comparison:
    """Say what jobs have to say of their targets.

    Args:
        store: where their images are; a few are looked at where targets generated different pixels.
        jobs: as `read_trials` gives them.
        margin: ratios from 1 / (1 + margin) to 1 + margin count as equal.
        seed: of the bootstrap.
    Raises:
        StoreError: the store failed.
    """
    manifest = jobs[0].manifest
    of_targets = {target: [job.targets[target] for job in jobs] for target in manifest.targets}
    mixed = _mixes_preloaded([*of_targets.values()])
    several = len(jobs) > 1
    return Comparison(
        title=_title(store, manifest),
        note=_note(len(jobs)),
        jobs=tuple(_compared(job) for job in jobs),
        model=manifest.model,
        model_digest=manifest.model_digest,
        precision=manifest.precision,
        image_count=manifest.count,
        images_per_task=manifest.images_per_task,
        targets=tuple(summarise(of_target) for of_target in of_targets.values()),
        ratios=() if several or mixed else job_ratios(jobs[0]),
        trials=trial_ratios(jobs, margin=margin, seed=seed) if several and not mixed else None,
        parity=_parity(store, jobs),
        differences=tuple(_differences(of_targets)),
        remarks=tuple(_remarks(jobs, mixed)),
    )


def _title(store: Store, manifest: Manifest) -> str:
    """Only a store on this machine tells for sure that all ran on it."""
    here = store.is_local or any(place in store.url for place in _LOOPBACK)
    if here:
        return (
            " against ".join(TARGET_INFO[target].server for target in manifest.targets) + " on this machine"
        )
    return " against ".join(manifest.targets)


def _note(jobs: int) -> str:
    if jobs == 1:
        return ONE_RUN
    if jobs < MIN_TRIALS:
        return f"{jobs} trials: descriptive, a verdict needs {MIN_TRIALS}"
    return f"{jobs} trials"


def _compared(job: JobColumns) -> ComparedJob:
    manifest = job.manifest
    return ComparedJob(
        job_id=manifest.job_id,
        status=job.status,
        submitted_at=manifest.submitted_at,
        seed=manifest.seed,
    )


def _parity(store: Store, jobs: Sequence[JobColumns]) -> tuple[Parity, ...]:
    by_pair = zip(*(job.parity for job in jobs), strict=True)
    return tuple(measure_parity(store, of_pair) for of_pair in by_pair)


def _mixes_preloaded(of_targets: Sequence[Sequence[TargetColumns]]) -> bool:
    every = [columns for of_target in of_targets for columns in of_target]
    return len(seen_conditions(every, "preloaded")) > 1


def _differences(of_targets: Mapping[Target, Sequence[TargetColumns]]) -> Iterator[str]:
    for name in CONDITIONS:
        seen = {target: seen_conditions(of_target, name) for target, of_target in of_targets.items()}
        if len(frozenset[str]().union(*seen.values())) > 1:
            texts = (f"{target} {' or '.join(sorted(values))}" for target, values in seen.items() if values)
            yield f"{name}: {', '.join(texts)}"


def _remarks(jobs: Sequence[JobColumns], mixed: bool) -> Iterator[str]:
    if mixed:
        yield "no ratios: some tasks ran on instances that had loaded their model at start, and some did not"
    unfinished = [job for job in jobs if job.status is not JobStatus.SUCCEEDED]
    if unfinished:
        states = ", ".join(f"{job.manifest.job_id} is {job.status}" for job in unfinished[:3])
        more = f" and {len(unfinished) - 3} more" if len(unfinished) > 3 else ""
        yield f"not all tasks are in: {states}{more}"
    again = sum(max(columns.publications, default=0) > 0 for job in jobs for columns in job.targets.values())
    if again:
        yield "some tasks were published again later: images per second counts the time in between"
    overlapping = sum(_overlap(a, b) for a, b in pairwise(jobs))
    if overlapping:
        yield f"{overlapping} of the trials began before the last one had ended: they are not independent"


def _overlap(earlier: JobColumns, later: JobColumns) -> bool:
    ends = [columns.last_created_s for columns in earlier.targets.values()]
    starts = [columns.first_published_s for columns in later.targets.values()]
    # A NaN, of a target without records, is never less.
    return any(start < end for start in starts for end in ends)


def _short(value: object) -> str:
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 24 else f"{text[:20]}…"
