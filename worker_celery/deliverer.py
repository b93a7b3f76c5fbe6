"""Carries a queued delivery: one attempt, and then it is acknowledged, put back for later, or dead.

What must wait goes back to the tail of its queue with the time before which it is not due. It is
not given to Celery as a task with a countdown: a worker takes any number of those into its memory, where
they wait for a slot longer than the visibility timeout allows, and are delivered twice. Here a worker never
holds more than it carries, each for one attempt and two pauses at most, so that the timeout's bound holds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pipeline.config.settings import Settings
from pipeline.telemetry.logs import fields
from results.errors import StoreError
from results.stores.base import Store
from worker_celery.backoff import Backoff
from worker_celery.dead_letters import write_dead_letter
from worker_celery.push_response import PushResponse, PushResponseKind
from worker_celery.queued_delivery import QueuedDelivery

SLOT_PAUSE_S: Final = 2.0
"""Longest wait in a slot. It slows a queue whose target is down to a few attempts a second, as Pub/Sub does
after a nack, and yet lets healthy tasks pass one that keeps failing."""

log = logging.getLogger(__name__)


class Deliverer:
    """Carries the queued deliveries of one worker.

    Args:
        settings: attempts and backoff.
        attempt: makes one attempt to deliver or generate.
        put_back: publishes a queued delivery again; it returns when the broker has it.
        store: gives the store, for dead letters.
    """

    def __init__(
        self,
        settings: Settings,
        attempt: Callable[[QueuedDelivery], PushResponse],
        put_back: Callable[[QueuedDelivery], None],
        store: Callable[[], Store],
    ) -> None:
        self._backoff = Backoff(settings.backoff_min_s, settings.backoff_max_s)
        self._push_attempts = settings.push_attempts
        self._attempt = attempt
        self._put_back = put_back
        self._store = store

    def carry(self, queued_delivery: QueuedDelivery) -> str:
        """Do what is due; return what was done, in a word for the logs.

        The caller acknowledges after this returns: it has arrived, is dead-lettered, or was put back.

        Raises:
            Exception: what `attempt` and `put_back` raise; the caller must not acknowledge.
        """
        wait_s = queued_delivery.not_before - time.time()
        if 0 < wait_s <= self._backoff.max_s:  # more: the clock has been set back
            time.sleep(min(wait_s, SLOT_PAUSE_S))
            if wait_s > SLOT_PAUSE_S:
                self._put_back(queued_delivery)
                return "waiting"
        if queued_delivery.attempt >= self._push_attempts:
            return self._write_dead_letter(queued_delivery)
        answer = self._attempt(queued_delivery)
        if answer.kind is PushResponseKind.ACK:
            return "acknowledged"
        return self._met(queued_delivery, answer)

    def _met(self, queued_delivery: QueuedDelivery, answer: PushResponse) -> str:
        """The target was busy, or the attempt failed: come back later, or never."""
        busy = answer.kind is PushResponseKind.BUSY
        if busy and answer.retry_after_s is not None:
            delay_s = self._backoff.bounded_s(answer.retry_after_s)
        else:
            delay_s = self._backoff.delay_s(queued_delivery.busy + 1 if busy else queued_delivery.attempt + 1)
        due_at = time.time() + delay_s
        later = (queued_delivery.met_busy if busy else queued_delivery.met_failure)(answer.detail, due_at)
        log.log(
            logging.INFO if busy else logging.WARNING,
            "%s, again in %.1f s: %s",
            answer.kind,
            delay_s,
            answer.detail,
            extra=fields({"message": queued_delivery.message_id, "target": queued_delivery.target}),
        )
        if later.attempt >= self._push_attempts:
            return self._write_dead_letter(later)
        # Waiting before putting back keeps a slot from racing through its queue when the target is down.
        time.sleep(min(delay_s, SLOT_PAUSE_S))
        self._put_back(later)
        return str(answer.kind)

    def _write_dead_letter(self, queued_delivery: QueuedDelivery) -> str:
        try:
            write_dead_letter(self._store(), queued_delivery)
        except StoreError as error:
            # No more attempts: only the writing of the dead letter is tried again, at the slowest pace.
            log.warning("dead letter not written, again in %.0f s: %s", self._backoff.max_s, error)
            time.sleep(min(self._backoff.max_s, SLOT_PAUSE_S))
            self._put_back(replace(queued_delivery, not_before=time.time() + self._backoff.max_s))
            return "dead letter put off"
        log.error(
            "dead after %d attempts: %s",
            queued_delivery.attempt,
            queued_delivery.last_error,
            extra=fields({"message": queued_delivery.message_id, "target": queued_delivery.target}),
        )
        return "dead"
