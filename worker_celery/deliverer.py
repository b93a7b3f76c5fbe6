"""Carries a parcel: one attempt, and then it is acknowledged, put back for later, or dead.

A parcel that must wait goes back to the tail of its queue with the time before which it is not due. It is
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
from worker_celery.dead_letters import bury
from worker_celery.push_response import Answer, AnswerKind
from worker_celery.queued_delivery import Parcel

SLOT_PAUSE_S: Final = 2.0
"""Longest wait in a slot. It slows a queue whose target is down to a few attempts a second, as Pub/Sub does
after a nack, and yet lets healthy tasks pass one that keeps failing."""

log = logging.getLogger(__name__)


class Courier:
    """Carries the parcels of one worker.

    Args:
        settings: attempts and backoff.
        attempt: makes one attempt to deliver or paint.
        put_back: publishes a parcel again; it returns when the broker has it.
        store: gives the store, for dead letters.
    """

    def __init__(
        self,
        settings: Settings,
        attempt: Callable[[Parcel], Answer],
        put_back: Callable[[Parcel], None],
        store: Callable[[], Store],
    ) -> None:
        self._backoff = Backoff(settings.backoff_min_s, settings.backoff_max_s)
        self._push_attempts = settings.push_attempts
        self._attempt = attempt
        self._put_back = put_back
        self._store = store

    def carry(self, parcel: Parcel) -> str:
        """Do what is due; return what was done, in a word for the logs.

        The caller acknowledges after this returns: the parcel has arrived, is buried, or was put back.

        Raises:
            Exception: what `attempt` and `put_back` raise; the caller must not acknowledge.
        """
        wait_s = parcel.not_before - time.time()
        if wait_s > 0:
            time.sleep(min(wait_s, SLOT_PAUSE_S))
            if wait_s > SLOT_PAUSE_S:
                self._put_back(parcel)
                return "waiting"
        if parcel.attempt >= self._push_attempts:
            return self._bury(parcel)
        answer = self._attempt(parcel)
        if answer.kind is AnswerKind.ACK:
            return "acknowledged"
        return self._met(parcel, answer)

    def _met(self, parcel: Parcel, answer: Answer) -> str:
        """The target was busy, or the attempt failed: come back later, or never."""
        busy = answer.kind is AnswerKind.BUSY
        if busy and answer.retry_after_s is not None:
            delay_s = self._backoff.bounded_s(answer.retry_after_s)
        else:
            delay_s = self._backoff.delay_s(parcel.busy + 1 if busy else parcel.attempt + 1)
        due_at = time.time() + delay_s
        later = (parcel.met_busy if busy else parcel.met_failure)(answer.detail, due_at)
        log.log(
            logging.INFO if busy else logging.WARNING,
            "%s, again in %.1f s: %s",
            answer.kind,
            delay_s,
            answer.detail,
            extra=fields({"message": parcel.message_id, "target": parcel.target}),
        )
        if later.attempt >= self._push_attempts:
            return self._bury(later)
        # Waiting before putting back keeps a slot from racing through its queue when the target is down.
        time.sleep(min(delay_s, SLOT_PAUSE_S))
        self._put_back(later)
        return str(answer.kind)

    def _bury(self, parcel: Parcel) -> str:
        try:
            bury(self._store(), parcel)
        except StoreError as error:
            # No more attempts: only the writing of the dead letter is tried again, at the slowest pace.
            log.warning("dead letter not written, again in %.0f s: %s", self._backoff.max_s, error)
            time.sleep(min(self._backoff.max_s, SLOT_PAUSE_S))
            self._put_back(replace(parcel, not_before=time.time() + self._backoff.max_s))
            return "burial put off"
        log.error(
            "dead after %d attempts: %s",
            parcel.attempt,
            parcel.last_error,
            extra=fields({"message": parcel.message_id, "target": parcel.target}),
        )
        return "dead"
