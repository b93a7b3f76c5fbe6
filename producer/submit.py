"""Submit a job: check the request, write its manifest, publish its tasks. Idempotent."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from typing import Any, Final

from model.families import validate_params
from model.registry import ModelInfo, Registry
from pipeline.errors import BrokerError, RequestError
from pipeline.models.push import push_model
from pipeline.protocol.clock import utc_now
from producer.plan import Plan, make_plan
from producer.publish import all_tasks, publish_runs, task_message
from producer.publisher import Publisher
from results.documents import JSON_TYPE, Manifest, Precision, dump
from results.errors import ObjectExists, StoreError
from results.job_state import JobState, load_manifest
from results.naming import check_name, manifest_name
from results.stores.base import Progress, Store
from results.target_state import TaskState
from results.targets import TARGETS, Target

_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_RANDOM_SEEDS: Final = 2**31  # short enough to type again
_MAX_SEED: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A request for a job.

    Args:
        model: registered name.
        count: images per target.
        targets: the targets that generate.
        seed: in [0, 2**63); None: random.
        precision: "auto" or one of the engine's.
        params: parameters of the model's family, not validated yet.
        job_id: the job's name; None: a generated one.
        images_per_task: the user's choice; None: planned.
    """

    model: str
    count: int
    targets: tuple[Target, ...]
    seed: int | None = None
    precision: Precision = "auto"
    params: Mapping[str, str | int | float | bool | None] | None = None
    job_id: str | None = None
    images_per_task: int | None = None


def request_like(manifest: Manifest) -> JobRequest:
    """The request that made a job, for a new one with the model as it is now."""
    return JobRequest(
        model=manifest.model,
        count=manifest.count,
        targets=manifest.targets,
        seed=manifest.seed,
        precision=manifest.precision,
        params=manifest.params,
        images_per_task=manifest.images_per_task,
    )


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked request, ready for `submit`; nothing is written yet."""

    manifest: Manifest
    plan: Plan
    model: ModelInfo
    seed_given: bool


@dataclass(frozen=True, slots=True)
class Submission:
    """The result of a submission.

    Args:
        manifest: the job's manifest as stored.
        created: False if the job existed already, with the same request.
        messages: messages published, one per task and target.
        unpublished: tasks of an earlier submission that never reached the broker: `resume` publishes them.
        pushed_bytes: size of the model's checkpoint if it was uploaded, else 0.
    """

    manifest: Manifest
    created: bool
    messages: int
    unpublished: int
    pushed_bytes: int = 0


def draft_job(request: JobRequest, registry: Registry) -> Draft:
    """Check a request and plan its tasks. Nothing is written.

    Raises:
        RequestError: a value is outside its limits.
        ModelError: unknown model, damaged checkpoint, or params that its family does not take.
        MessageError: the params exceed the message size limit.
    """
    model = registry.get(request.model)
    params = validate_params(model.family, dict(request.params or {}), model.takes)
    _check_precision(request.precision, model)
    plan = make_plan(request.count, model.seconds_per_image, request.images_per_task)
    now = utc_now()
    manifest = Manifest(
        job_id=_job_name(request, now),
        model=model.name,
        model_digest=model.digest,
        resolution=model.resolution,
        count=request.count,
        seed=_seed(request.seed),
        params=params,
        precision=request.precision,
        targets=_targets(request.targets),
        images_per_task=plan.images_per_task,
        submitted_at=now,
        submitted_with=_version(),
    )
    task_message(manifest, 0, 0, now, manifest.targets).encode()
    return Draft(manifest, plan, model, seed_given=request.seed is not None)


def _check_precision(precision: Precision, model: ModelInfo) -> None:
    if precision == "auto" or model.precisions is None or precision in model.precisions:
        return
    raise RequestError(
        f"model {model.name} has no {precision} figures: use auto or {' or '.join(model.precisions)},"
        " or measure the checkpoint with `diptych model gate`"
    )


def submit(
    store: Store,
    publisher: Publisher,
    draft: Draft,
    *,
    push: bool = True,
    progress: Progress | None = None,
) -> Submission:
    """Write the manifest, then publish every task. Submitting an equal request again is idempotent.

    Args:
        store: the store.
        publisher: the queue.
        draft: the checked request.
        push: upload the model's checkpoint first, unless the store or the workers have it.
        progress: called with the number of checkpoint bytes uploaded.
    Raises:
        ModelError: the checkpoint is damaged.
        RequestError: a job of this name exists with another request; the message lists the differences.
        StoreError: the store cannot be written; the message says how to continue.
        BrokerError: the broker failed; the job exists, and the message says how to continue.
    """
    manifest = draft.manifest
    store.check()
    pushed_bytes = _push(store, draft.model, progress) if push else 0
    try:
        _write(store, manifest)
    except ObjectExists:
        return replace(_join(store, draft), pushed_bytes=pushed_bytes)
    try:
        messages = publish_runs(store, publisher, manifest, 0, [all_tasks(manifest)])
    except BrokerError as error:
        raise BrokerError(
            f"{error}; job {manifest.job_id} was created:"
            f" `diptych resume {manifest.job_id}` publishes the rest"
        ) from error
    return Submission(manifest, created=True, messages=messages, unpublished=0, pushed_bytes=pushed_bytes)


def _push(store: Store, model: ModelInfo, progress: Progress | None) -> int:
    """Upload the checkpoint before the manifest: no task may reach a worker before its model."""
    if model.shipped or not model.is_checkpoint:
        return 0
    return push_model(store, model, progress)


def _write(store: Store, manifest: Manifest) -> None:
    """Raises ObjectExists, StoreError."""
    try:
        store.create(manifest_name(manifest.job_id), dump(manifest), JSON_TYPE)
    except StoreError as error:
        if not error.transient:
            raise
        raise StoreError(
            f"{error}; if job {manifest.job_id} was created nevertheless, `diptych resume {manifest.job_id}`"
            " publishes it",
            transient=True,
        ) from error


def _join(store: Store, draft: Draft) -> Submission:
    """Report on the existing job of this name, or refuse if its request differs."""
    stored = load_manifest(store, draft.manifest.job_id)
    differences = _differences(stored, draft)
    if differences:
        raise RequestError(
            f"job {stored.job_id} exists with another request ({'; '.join(differences)}):"
            " choose another --job"
        )
    state = JobState(store, stored)
    state.refresh()
    unpublished = {
        task for target in state.targets.values() for task in target.tasks_in([TaskState.UNPUBLISHED])
    }
    return Submission(stored, created=False, messages=0, unpublished=len(unpublished))


def _differences(stored: Manifest, draft: Draft) -> list[str]:
    there, here = stored.request(), draft.manifest.request()
    if not draft.seed_given:
        here["seed"] = there["seed"]
    # The order of targets does not matter.
    for side in (there, here):
        side["targets"] = sorted(side["targets"])
    return [
        f"{key} is {_short(there[key])} there, {_short(here[key])} here"
        for key in here
        if there[key] != here[key]
    ]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


def _job_name(request: JobRequest, now: datetime) -> str:
    """The user's name, or e.g. "faces-64-20261124-235512-x7k2"."""
    if request.job_id is not None:
        try:
            return check_name(request.job_id)
        except ValueError as error:
            raise RequestError(f"--job: {error}") from error
    tail = "".join(secrets.choice(_BASE36) for _ in range(4))
    stem = request.model[:40].rstrip("-")
    return f"{stem}-{now.astimezone(UTC):%Y%m%d-%H%M%S}-{tail}"


def _seed(seed: int | None) -> int:
    if seed is None:
        return secrets.randbelow(_RANDOM_SEEDS)
    if not 0 <= seed <= _MAX_SEED:
        raise RequestError(f"seed {seed} is outside 0..{_MAX_SEED}")
    return seed


def _targets(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """Each target once, in the order given."""
    if not targets:
        raise RequestError(f"no target: give --target {', '.join(TARGETS[:-1])} or {TARGETS[-1]}")
    return tuple(dict.fromkeys(targets))


def _version() -> str:
    try:
        return f"diptych {metadata.version('diptych')}"
    except metadata.PackageNotFoundError:
        return "diptych"
