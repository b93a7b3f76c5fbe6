"""The model: does it exist, was its precision measured, and does a task end within the deadline?"""

from __future__ import annotations

import heapq
import math
import shlex
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from deploy.doctor.check import Check, fail, ok, skipped, warn
from model.checkpoint import read_header
from model.errors import ModelError
from model.registry import ModelInfo, Registry
from pipeline.config.settings import Settings
from producer.plan import TASK_WORK_S, make_plan
from results.documents import Manifest
from results.errors import DocumentError, JobNotFound, ResultsError, StoreError
from results.job_state import load_manifest
from results.naming import jobs_prefix, model_name
from results.records import iter_records
from results.stores.base import Store
from results.targets import Target

MODEL: Final = "model"
GATE: Final = "precision gate"
JOBS_READ: Final = 5
JOBS_CONSIDERED: Final = 200
RECORDS_READ: Final = 400
"""Per target: enough for a 99th percentile, and only seconds of reading from a bucket."""
SHARE: Final = 0.5
"""Share of the deadline that a task's 99th percentile may take."""


def model_checks(name: str, settings: Settings, store: Store | None) -> Iterator[Check]:
    """Check that the model exists here and for remote workers, and that its precisions were measured.

    Args:
        name: name of the model that jobs use.
        settings: with the folder of models.
        store: from which workers download models; None: it cannot be used.
    """
    try:
        info = Registry(settings.model_dir).get(name)
    except ModelError as error:
        yield fail(MODEL, str(error))
        return
    yield _presence(info, store)
    yield _gate(info)


def task_time_checks(
    name: str, settings: Settings, store: Store | None, targets: Sequence[Target], deadline_s: float
) -> Iterator[Check]:
    """Check that a task ends well before its delivery counts as lost.

    Args:
        name: name of the model that jobs use.
        settings: with the folder of models.
        store: whose latest records are read; None: only the model's nominal time is checked.
        targets: targets whose records are read.
        deadline_s: time after which the broker delivers again.
    """
    try:
        info = Registry(settings.model_dir).get(name)
    except ModelError as error:
        yield skipped("task time", str(error))
        return
    images = make_plan(10**6, info.seconds_per_image).images_per_task
    expected_s = images * info.seconds_per_image
    yield judged(
        f"task time of {name}",
        expected_s,
        deadline_s,
        f"about {expected_s:.0f} s at {info.seconds_per_image:.3g} s per image, {images} images per task",
        info.seconds_per_image,
    )
    for target in targets if store else ():
        assert store is not None
        yield _measured(store, target, deadline_s)


def judged(name: str, seconds: float, deadline_s: float, text: str, image_s: float = 0.0) -> Check:
    """Compare a task's time with the deadline."""
    limit_s = SHARE * deadline_s
    fits = max(1, math.floor(min(TASK_WORK_S, limit_s) / image_s)) if image_s else 1
    mend = f"diptych submit --images-per-task {fits} …"
    if seconds > deadline_s:
        return fail(
            name, f"{text}: over the deadline of {deadline_s:g} s, so it is delivered again and again", mend
        )
    if seconds > limit_s:
        return warn(name, f"{text}: over half the deadline of {deadline_s:g} s", mend)
    return ok(name, f"{text}; the deadline is {deadline_s:g} s")


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of at least one value."""
    ranked = sorted(values)
    return ranked[math.ceil(share * len(ranked)) - 1]


def _measured(store: Store, target: Target, deadline_s: float) -> Check:
    name = f"measured task time, {target}"
    try:
        times = _process_times(store, target)
    except ResultsError as error:
        return skipped(name, str(error))
    if not times:
        return skipped(name, "no records yet")
    longest_s = percentile(times, 0.99)
    text = f"99th percentile {longest_s:.1f} s over the latest {len(times)} records"
    return judged(name, longest_s, deadline_s, text)


def _process_times(store: Store, target: Target) -> list[float]:
    latest = heapq.nlargest(JOBS_READ, _manifests(store), key=lambda manifest: manifest.submitted_at)
    records = (
        stored.record
        for manifest in latest
        if target in manifest.targets
        for stored in iter_records(store, manifest.job_id, target)
    )
    return [record.process_s for record in islice(records, RECORDS_READ)]


def _manifests(store: Store) -> Iterator[Manifest]:
    for job_id in deque(store.list_folders(jobs_prefix()), maxlen=JOBS_CONSIDERED):
        try:
            yield load_manifest(store, job_id)
        except (JobNotFound, DocumentError, ValueError):
            continue  # `diptych jobs` lists damaged jobs


def _presence(info: ModelInfo, store: Store | None) -> Check:
    about = f"{info.name}, {info.resolution}x{info.resolution}, {info.digest[:19]}"
    if info.shipped:
        return ok(MODEL, f"{about}, shipped with every worker")
    if not info.is_checkpoint:
        return warn(MODEL, f"{about}, is a {info.family} model: add it on every remote worker too")
    if store is None:
        return skipped(MODEL, f"{about}: without the store, its availability to workers is unknown")
    try:
        pushed = store.stat(model_name(info.digest)) is not None
    except StoreError as error:
        return skipped(MODEL, str(error))
    push = f"diptych model push {info.name} --store '{store.url}'"
    if not pushed:
        return warn(MODEL, f"{about}, is not in the store yet; `diptych submit` uploads it", push)
    return ok(MODEL, f"{about}, is in the store")


def _gate(info: ModelInfo) -> Check:
    if not info.is_checkpoint:
        return skipped(GATE, f"a {info.family} model has none")
    try:
        gate = read_header(info.path).config.gate
    except ModelError as error:
        return fail(GATE, str(error))
    if gate is None:
        slow = f"{info.name} was never measured: it runs in fp32, the slowest precision"
        return warn(GATE, slow, f"diptych model gate {shlex.quote(str(info.path))}")
    accepted = gate.fastest_first()
    figures = ", ".join(f"{each} {gate.precisions[each].psnr_min_db:.1f} dB" for each in accepted)
    return ok(GATE, f"{info.name} may run in {figures}" if accepted else f"{info.name} runs only in fp32")
