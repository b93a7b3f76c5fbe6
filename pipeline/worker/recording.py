"""What a delivery leaves behind: the record that commits the task, a failure, or a duplicate."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from pipeline.models.engine_cache import Loaded
from pipeline.protocol.clock import utc_now
from pipeline.protocol.outcomes import Outcome, Result
from pipeline.worker.attempt import Attempt
from pipeline.worker.metering import Work
from results.documents import Duplicate, Failure, create_once, load
from results.errors import ObjectExists
from results.naming import duplicate_name, failure_name, flagged_name, record_name
from results.record import ImageEntry, Record

MAX_DETAIL_CHARS = 500


def build_record(
    attempt: Attempt, loaded: Loaded, entries: Sequence[ImageEntry], work: Work, prior_tasks: int
) -> Record:
    """Make the record of a task whose images are all stored.

    Args:
        attempt: the delivery in hand.
        loaded: the engine that generated.
        entries: one per image, in any order.
        work: the meter's reading just after the last image was stored.
        prior_tasks: tasks that this process had generated before.
    """
    task, delivery, runtime, meter = attempt.task, attempt.delivery, attempt.runtime, attempt.meter
    engine, instance = loaded.engine, runtime.instance
    return Record(
        **work,
        job_id=task.job_id,
        task_index=task.task_index,
        publication=task.publication,
        target=delivery.target,
        submitted_at=task.submitted_at,
        publication_started_at=task.publication_started_at,
        published_at=delivery.published_at,
        received_at=attempt.received_at,
        finished_at=utc_now(),
        instance_started_at=instance.started_at,
        model_load_s=meter.stage_s("model_load"),
        generate_s=meter.stage_s("generate"),
        encode_s=meter.stage_s("encode"),
        store_s=meter.stage_s("store"),
        rss_peak_bytes=meter.rss_peak_bytes,
        cold_start=prior_tasks == 0,
        prior_requests=attempt.prior_requests,
        preloaded=runtime.preloaded,
        instance_id=instance.instance_id,
        delivery_id=delivery.delivery_id,
        delivery_attempt=delivery.attempt,
        message_id=delivery.message_id,
        worker_revision=instance.revision,
        engine=engine.name,
        engine_version=engine.version,
        precision=engine.precision,
        cpu_model=instance.cpu_model,
        isa=engine.isa,
        threads=engine.threads,
        batch_size=runtime.settings.batch_size,
        model=task.model,
        model_digest=task.model_digest,
        seed=task.seed,
        params=task.params,
        image_count=task.image_count,
        images=tuple(sorted(entries, key=lambda entry: entry.index)),
    )


def commit(attempt: Attempt, record: Record) -> Result:
    """Write the record: the task is done. If there is one already, find out whose it is.

    Returns:
        DONE, also if an earlier try of this very write had reached the store; DUPLICATE if another
        delivery has committed the task, with the work done twice written down.
    Raises:
        StoreError: the store failed; nothing is committed, or an ambiguous write may be.
        DocumentError: the record that is there cannot be read.
    """
    name = record_name(record.job_id, record.target, record.task_index)
    store = attempt.runtime.store
    flagged = sum(entry.flagged for entry in record.images)
    if flagged:
        mark = flagged_name(record.job_id, record.target, record.task_index, flagged)
        with contextlib.suppress(ObjectExists):
            store.create(mark, b"", "text/plain")
    if not create_once(store, name, record):
        stored = load(Record, store.read(name), name)
        if stored.delivery_id != record.delivery_id:
            return _duplicate(attempt)
    detail = f"{record.images_painted} generated, {record.images_found} found, {record.process_s:.3f} s"
    if flagged:
        detail += f", {flagged} flagged by the model's safety checker"
    return Result(Outcome.DONE, "recorded", detail)


def record_failure(attempt: Attempt, code: str, error: Exception) -> Result:
    """Write a permanent error down, so that it can be acknowledged.

    Args:
        attempt: the delivery in hand.
        code: short machine-readable word.
        error: what went wrong, in words.
    Raises:
        StoreError: it cannot be written now.
    """
    task, delivery = attempt.task, attempt.delivery
    detail = " ".join(str(error).split())[:MAX_DETAIL_CHARS]
    failure = Failure(
        **attempt.meter.work(),
        job_id=task.job_id,
        task_index=task.task_index,
        publication=task.publication,
        target=delivery.target,
        delivery_id=delivery.delivery_id,
        delivery_attempt=delivery.attempt,
        message_id=delivery.message_id,
        instance_id=attempt.runtime.instance.instance_id,
        error=code,
        detail=detail,
        received_at=attempt.received_at,
        failed_at=utc_now(),
    )
    name = failure_name(task.job_id, delivery.target, task.task_index, task.publication, delivery.delivery_id)
    # A name with this delivery's own id can only be there from an earlier try of this very write.
    create_once(attempt.runtime.store, name, failure)
    return Result(Outcome.FAILED, code, detail)


def _duplicate(attempt: Attempt) -> Result:
    task, delivery = attempt.task, attempt.delivery
    duplicate = Duplicate(
        **attempt.meter.work(),
        job_id=task.job_id,
        task_index=task.task_index,
        target=delivery.target,
        delivery_id=delivery.delivery_id,
        message_id=delivery.message_id,
        instance_id=attempt.runtime.instance.instance_id,
        duplicate_at=utc_now(),
    )
    name = duplicate_name(task.job_id, delivery.target, task.task_index, delivery.delivery_id)
    create_once(attempt.runtime.store, name, duplicate)
    return Result(Outcome.DUPLICATE, "committed_by_another_delivery")
