"""What the producer and the Celery worker share: names of queues and tasks, and transport options.

The producer sends by name and never imports the worker.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.config.settings import Settings
from results.targets import TARGET_INFO, Target

DELIVER_TASK: Final = "diptych.deliver"
"""Plays the push subscription: the arguments of worker_celery.queued_delivery.QueuedDelivery."""
IN_PROCESS_TASK: Final = "diptych.paint"
"""Runs process_task in the Celery worker itself: the same arguments."""
HOLDER_PROPERTY: Final = "diptych_holder"
"""A property of a message that a worker holds: that worker's name among the broker's clients."""


def queue_name(target: Target) -> str:
    """One queue per target, so that no target waits behind the other."""
    return f"diptych-{target}"


def task_name(target: Target) -> str:
    """The Celery task that serves a target."""
    return DELIVER_TASK if TARGET_INFO[target].pushed else IN_PROCESS_TASK


def celery_config(settings: Settings) -> dict[str, Any]:
    """Celery's configuration, the same on both sides.

    kombu looks for lost messages only about every 100 s unless `unacked_restore_interval` says otherwise.
    """
    return {
        "broker_url": settings.broker_url,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "visibility_timeout": settings.visibility_timeout_s,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            "socket_timeout": 10,
            "socket_connect_timeout": 5,
        },
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_send_task_events": False,
        "worker_enable_remote_control": False,
        "task_default_delivery_mode": "persistent",
        "enable_utc": True,
    }


def worker_argv(target: Target, concurrency: int) -> list[str]:
    """The command line, after the Python interpreter, of the Celery worker that serves a target.

    Threads deliver: they wait for answers. Processes generate: each has its own engine. Gossip, mingling
    and heartbeats are for workers that talk to each other; without them a worker starts in half the time.

    Args:
        target: whose queue.
        concurrency: deliveries at once (one per generation slot of the target), or worker processes.
    """
    pool = "threads" if TARGET_INFO[target].pushed else "prefork"
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return [
        *(
            "-m",
            "celery",
            "--quiet",
            "--app",
            "worker_celery.app:app",
            "worker",
            "--queues",
            queue_name(target),
        ),
        *("--concurrency", str(concurrency), "--pool", pool, "--hostname", f"{target}@%h", *quiet),
    ]
