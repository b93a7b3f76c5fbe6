"""Publishes on Celery: one message per task and target, in batches that the broker answers as a whole.

celery is imported when something is published: it costs a fifth of a second that `--help` need not pay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

from pipeline.celery_settings import celery_config, queue_name, task_name
from pipeline.clock import utc_now
from pipeline.envelope import queued_message
from pipeline.errors import BrokerError
from pipeline.messages import TaskMessage
from pipeline.settings import Settings
from results.documents import Target

CONNECT_TRIES: Final = 2
BATCH_COMMANDS: Final = 500
"""Commands in one round trip to the broker; 2.5 times the rate of one at a time (measured)."""


class CeleryPublisher:
    """Sends Celery tasks by name; never imports the worker.

    Args:
        settings: its `broker_url` must be set.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: Any = None
        self._producer: Any = None

    def publish(self, tasks: Sequence[TaskMessage]) -> None:
        """See Publisher."""
        from kombu.exceptions import KombuError

        self._connect()
        errors = (KombuError, *self._producer.connection.connection_errors)
        try:
            with self._producer.batch(BATCH_COMMANDS):
                for task in tasks:
                    for target in task.targets:
                        self._send(task, target)
        except errors as error:
            raise BrokerError(f"the broker did not take the tasks: {self._reason(error)}") from error

    def close(self) -> None:
        """See Publisher."""
        if self._producer is not None:
            self._producer.connection.release()
            self._producer = None

    def _connect(self) -> None:
        if self._producer is not None:
            return
        from celery import Celery
        from kombu.exceptions import KombuError

        self._app = Celery("diptych", set_as_current=False)
        self._app.conf.update(celery_config(self._settings))
        try:
            connection = self._app.connection_for_write()
            connection.ensure_connection(max_retries=CONNECT_TRIES, interval_start=0.2, interval_step=0.2)
            self._producer = self._app.amqp.Producer(connection)
        except (KombuError, OSError) as error:
            raise BrokerError(
                f"the broker does not answer ({self._reason(error)}): start the local stack with"
                " `diptych up`, or give --broker or DIPTYCH_BROKER_URL"
            ) from error
        except (KeyError, ValueError) as error:
            # So kombu takes a scheme or a port that it does not know.
            raise BrokerError(f"bad broker URL ({error.args[0]}): use redis://host:port/0") from error

    def _send(self, task: TaskMessage, target: Target) -> None:
        # One queue per target: here a message names the one target whose queue it is in.
        narrowed = task.model_copy(update={"targets": (target,)})
        message_id = uuid4().hex
        message = queued_message(narrowed, message_id, utc_now())
        address = {"target": target} if target != "celery" else {}
        self._app.send_task(
            task_name(target),
            kwargs={**address, "message": message, "attempt": 0, "busy": 0, "not_before": 0.0},
            task_id=message_id,
            queue=queue_name(target),
            producer=self._producer,
            retry=False,  # a batch that fails is uncertain; `resume` publishes it again as a whole
            ignore_result=True,
        )

    def _reason(self, error: BaseException) -> str:
        """The innermost cause, and where the broker is; the URL without its password."""
        from kombu.utils.url import maybe_sanitize_url

        while error.__cause__ is not None:
            error = error.__cause__
        return f"{maybe_sanitize_url(self._settings.broker_url)}: {error or type(error).__name__}"
