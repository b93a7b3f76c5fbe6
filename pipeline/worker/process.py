"""`process_task`: from a task to its record. The shared core of all three workers."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

from model.errors import ModelError
from pipeline.errors import CacheError
from pipeline.protocol.clock import utc_now
from pipeline.protocol.outcomes import Delivery, Outcome, Result
from pipeline.protocol.task_message import TaskMessage
from pipeline.worker.attempt import Attempt
from pipeline.worker.generation import ImageGenerator
from pipeline.worker.metering import Meter
from pipeline.worker.recording import build_record, commit, record_failure
from pipeline.worker.retries import no_cache, out_of_memory, shutting_down, store_retry
from pipeline.worker.runtime import Runtime
from pipeline.worker.stop_conditions import CANCELLED, StopConditions
from pipeline.worker.watchdog import EngineStuckError, Watchdog
from results.errors import DocumentError, ImageConflict, ImageError, StoreError
from results.naming import image_name, record_name


def process_task(
    task: TaskMessage, delivery: Delivery, runtime: Runtime, *, arrived_s: float | None = None
) -> Result:
    """Generate a task's images, store them, and commit it with a record.

    At least once becomes once here: images first, record last, each created only if absent. The caller
    holds the generation slot; time spent waiting for it is queueing and stays out of `process_s`.

    Args:
        task: what to generate.
        delivery: how it arrived.
        runtime: this process's runtime.
        arrived_s: `time.monotonic()` when the handler was entered (default: now); the delivery's
            deadline counts from here.
    Returns:
        The outcome. What had to be written about it is written; if that failed it is RETRY.
    Raises:
        Exception: a bug; `pipeline.worker.handler` makes a RETRY of it that counts as an attempt.
    """
    if delivery.target not in task.targets:
        return not_addressed(task, runtime)
    if runtime.shutdown.started:
        return shutting_down()
    now_s = time.monotonic()
    arrived_s = now_s if arrived_s is None else arrived_s
    with Meter(runtime.tracing.stages()) as meter:
        received_at = utc_now() - timedelta(seconds=now_s - arrived_s)
        prior_requests = runtime.count_request()
        record = record_name(task.job_id, delivery.target, task.task_index)
        watchdog = Watchdog(runtime.settings.deadline_s, f"{runtime.store.url} {record} {task.publication}")
        attempt = Attempt(task, delivery, runtime, meter, received_at, arrived_s, prior_requests, watchdog)
        try:
            result = _attempt(attempt)
            if result.outcome.acknowledged:
                watchdog.forget()
            return result
        except StoreError as error:
            return store_retry(error)
        except CacheError as error:
            return no_cache(error)
        except MemoryError:
            return out_of_memory()


def not_addressed(task: TaskMessage, runtime: Runtime) -> Result:
    """The outcome for a task that is meant for other targets: acknowledged, without a trace in the store.

    A subscription's filter may not apply: the emulator ignores it, an Eventarc trigger has none.
    """
    runtime.count_request()
    return Result(Outcome.DONE, "not_addressed", f"meant for {', '.join(task.targets)}")


def _attempt(attempt: Attempt) -> Result:
    """Run it; a permanent error becomes a recorded failure."""
    try:
        return _run(attempt)
    except ModelError as error:
        return record_failure(attempt, error.code, error)
    except ImageConflict as error:
        return record_failure(attempt, "image_conflict", error)
    except ImageError as error:
        return record_failure(attempt, "stored_image_damaged", error)
    except DocumentError as error:
        return record_failure(attempt, "stored_record_damaged", error)
    except EngineStuckError as error:
        return record_failure(attempt, "engine_stuck", error)


def _run(attempt: Attempt) -> Result:
    task, runtime, meter = attempt.task, attempt.runtime, attempt.meter
    stop_conditions = StopConditions(task, runtime, attempt.arrived_s)
    cancelled = runtime.io.submit(stop_conditions.cancelled)
    stored = _stored_indices(attempt)
    if cancelled.result():
        return CANCELLED
    if stored and _is_recorded(attempt):
        return Result(Outcome.DUPLICATE, "already_recorded")

    attempt.watchdog.check()
    with attempt.watchdog.watching():
        loaded = runtime.engines.acquire(task.model, task.model_digest, task.precision, task.params)
    # In their normal form, so that equal requests leave equal provenance.
    attempt = replace(attempt, task=task.model_copy(update={"params": loaded.params}))
    meter.add("model_load", loaded.load_s)
    prior_tasks = runtime.count_task()

    image_generator = ImageGenerator(attempt, loaded, stop_conditions)
    entries = image_generator.read(stored)
    generated = image_generator.generate([index for index in task.indices if index not in set(stored)])
    if generated.stop:
        return generated.stop
    work = meter.work()
    return commit(attempt, build_record(attempt, loaded, entries + generated.entries, work, prior_tasks))


def _stored_indices(attempt: Attempt) -> list[int]:
    """The images that an earlier delivery has stored. None of them means that there is no record either."""
    names = {
        image_name(attempt.task.job_id, attempt.delivery.target, index): index
        for index in attempt.task.indices
    }
    found = attempt.runtime.store.find(list(names))
    return [index for name, index in names.items() if name in found]


def _is_recorded(attempt: Attempt) -> bool:
    name = record_name(attempt.task.job_id, attempt.delivery.target, attempt.task.task_index)
    return attempt.runtime.store.stat(name) is not None
