"""The Celery application. One worker serves one target's queue.

    python -m celery --app worker_celery.app:app worker --queues diptych-container --pool threads
        --concurrency 2 --hostname container@%h --without-gossip --without-mingle --without-heartbeat

Settings come from the environment (DIPTYCH_*), read when the worker needs them, not at import.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from celery import Celery, Task
from celery.exceptions import Reject, SecurityWarning
from celery.signals import setup_logging, worker_init, worker_shutting_down
from kombu.transport import TRANSPORT_ALIASES

from pipeline.config.celery_settings import (
    DELIVER_TASK,
    IN_PROCESS_TASK,
    celery_config,
    queue_name,
    task_name,
)
from pipeline.config.settings import Settings, load_settings
from pipeline.errors import MessageError, SettingsError
from pipeline.telemetry.logs import configure_logging
from results.errors import StoreError
from results.stores.base import Store
from results.stores.open import open_store
from worker_celery.dead_letters import reject, reject_raw
from worker_celery.deliverer import Deliverer
from worker_celery.http_push import HttpPush
from worker_celery.log_filter import LogFilter
from worker_celery.queued_delivery import QueuedDelivery
from worker_celery.shared_shutdown import SharedShutdown
from worker_celery.startup_checks import caution, check_targets
from worker_celery.transport import TRANSPORT, serve

GIVE_BACK_PAUSE_S: Final = 1.0
"""Before a message that could not be dealt with is given back, so that a lasting error does not spin."""

log = logging.getLogger(__name__)


@cache
def settings() -> Settings:
    """This process's settings. A wrong one ends the worker with a line, not a traceback."""
    try:
        found = load_settings()
        found.require_broker_url()
        open_store(found.require_store_url())
    except (SettingsError, StoreError) as error:
        raise SystemExit(f"error: {error}") from error
    return found


app = Celery("diptych")
# Celery warns root of pickled messages; only JSON is accepted here.
warnings.filterwarnings("ignore", category=SecurityWarning)
TRANSPORT_ALIASES["redis"] = TRANSPORT
app.add_defaults(lambda: celery_config(settings()))


def deliver(task: Task, /, *_: Any, **arguments: Any) -> str:
    """Deliver a task to its target over HTTP; see Deliverer.carry."""
    return _carry(task, _http_deliverer(), arguments)


def generate(task: Task, /, *_: Any, **arguments: Any) -> str:
    """Generate a task in this process.

    A message that the broker gives out again has lost its worker, perhaps to what it holds (out of memory,
    say): that has to count as an attempt, or it would kill workers for ever.
    """
    back = bool(task.request.delivery_info.get("redelivered"))
    return _carry(task, _in_process_deliverer(), {**arguments, "target": "celery"}, count_loss=back)


def _carry(
    task: Task, deliverer: Deliverer, arguments: Mapping[str, Any], *, count_loss: bool = False
) -> str:
    """Carry one message to an end that may be acknowledged, or give it back.

    Args:
        count_loss: put the queued delivery back with one attempt more, before anything else can go wrong.
    """
    try:
        try:
            queued_delivery = QueuedDelivery.from_arguments(arguments)
        except MessageError as error:
            reject(store(), arguments, error, target=str(arguments.get("target"))[:60])
            log.warning("message %s rejected: %s", task.request.id, error)
            return "rejected"
        if count_loss:
            _put_back(
                queued_delivery.met_failure("the worker died while generating", queued_delivery.not_before)
            )
            return "loss counted"
        return deliverer.carry(queued_delivery)
    except Exception as error:
        log.exception("message %s is given back", task.request.id)  # `LogFilter` shortens what is expected
        time.sleep(GIVE_BACK_PAUSE_S)
        raise Reject(str(error), requeue=True) from error


@cache
def store() -> Store:
    """This process's store."""
    return open_store(settings().require_store_url(), must_exist=settings().store_must_exist)


@cache
def _http_deliverer() -> Deliverer:
    return Deliverer(settings(), HttpPush(settings()).push, _put_back, store)


@cache
def _in_process_deliverer() -> Deliverer:
    # A worker that only delivers starts without the generating core.
    from pipeline.worker.runtime import LazyRuntime, Runtime
    from worker_celery.in_process import InProcessDelivery

    runtime = LazyRuntime(lambda: Runtime(settings(), "celery", shutdown=shutdown(), store=store()))
    return Deliverer(settings(), InProcessDelivery(runtime).generate, _put_back, store)


def _put_back(queued_delivery: QueuedDelivery) -> None:
    """Publish a queued delivery again, at the tail of its queue. Returns when the broker has it."""
    arguments = queued_delivery.arguments()
    app.send_task(
        task_name(queued_delivery.target), kwargs=arguments, queue=queue_name(queued_delivery.target)
    )


@cache
def shutdown() -> SharedShutdown:
    """This worker's order to stop."""
    return SharedShutdown(settings().drain_s)


def _before_children(sender: Any, **_: Any) -> None:
    """Check the settings, and make the shutdown before the pool forks, so that the children share it."""
    queues = {*sender.app.amqp.queues.consume_from}
    serve(queues, lambda raw, error: reject_raw(store(), raw, error, settings().target))
    try:
        check_targets(settings(), queues)
    except SettingsError as error:
        raise SystemExit(f"error: {error}") from error
    if found := caution(settings(), queues):
        log.warning("%s", found)
    shutdown()


def _on_shutdown(**_: Any) -> None:
    """SIGTERM: what is being generated is finished soon or given back."""
    shutdown().start()


def _on_setup_logging(**_: Any) -> None:
    """Log as the other workers do; what each task came to is logged by us, not twice by Celery."""
    configure_logging(settings())
    for handler in logging.getLogger().handlers:
        handler.addFilter(LogFilter())
    for name in ("celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(name).setLevel(logging.WARNING)


# Not as decorators: celery has no types, and a decorator without types takes those of what it decorates.
app.task(deliver, name=DELIVER_TASK, bind=True)
app.task(generate, name=IN_PROCESS_TASK, bind=True)
worker_init.connect(_before_children)
worker_shutting_down.connect(_on_shutdown)
setup_logging.connect(_on_setup_logging)
