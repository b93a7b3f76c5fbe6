"""Dead letters of Pub/Sub: from a message of the dead-letter topic to documents in the store.

Pub/Sub says in attributes where a message died: https://cloud.google.com/pubsub/docs/handling-failures.
Used by the container worker, to which they are pushed, and by `diptych dlq`, which pulls from the reserve.
"""

from __future__ import annotations

import base64
import re
from typing import Any, Final

from pipeline.protocol.clock import rfc3339, utc_now
from pipeline.protocol.envelope import Envelope
from pipeline.protocol.task_message import TaskMessage, decode_task
from pipeline.worker.dead_letters import write_dead_letter
from results.documents import DeadLetter
from results.stores.base import Store
from results.targets import PUSHED_TARGETS, Target

SOURCE_ATTRIBUTE: Final = "CloudPubSubDeadLetterSourceSubscription"
COUNT_ATTRIBUTE: Final = "CloudPubSubDeadLetterSourceDeliveryCount"
TRIGGER_PREFIX: Final = "eventarc-"

_COUNT: Final = re.compile(r"[0-9]{1,6}")


def write_envelope_dead_letter(store: Store, envelope: Envelope) -> list[str]:
    """Write the documents of one dead letter; see `pipeline.worker.dead_letters.write_dead_letter`.

    Args:
        store: the store.
        envelope: of a message of the dead-letter topic.
    Returns:
        The names of the documents, new and old: one, or one per target where Pub/Sub does not say which. None
        for a target that has recorded the task, or that it was not meant for.
    Raises:
        MessageError: the message holds no task.
        StoreError: the store refused.
    """
    task = decode_task(envelope.data)
    targets = dead_targets(task, envelope.attributes.get(SOURCE_ATTRIBUTE, ""))
    names = [write_dead_letter(store, _letter(task, target, envelope)) for target in targets]
    return [name for name in names if name]


def dead_targets(task: TaskMessage, subscription: str) -> tuple[Target, ...]:
    """The target whose subscription gave up, told from its name; all of the task's if that says nothing.

    None if it is that of a target that the task was not meant for: where no filter applies, such a target
    is sent the task too, and if it is down Pub/Sub gives up on it, while the one that is meant may be well.

    Args:
        task: the task.
        subscription: e.g. "diptych-container", or "eventarc-us-central1-diptych-function-123456-sub-789".
    """
    # A trigger's own subscription may be called after a function of any name.
    parts = ["function"] if subscription.startswith(TRIGGER_PREFIX) else subscription.split("-")
    named = tuple(target for target in PUSHED_TARGETS if target in parts)
    return tuple(target for target in task.targets if target in named or len(named) != 1)


def _letter(task: TaskMessage, target: Target, envelope: Envelope) -> DeadLetter:
    attributes = envelope.attributes
    source = attributes.get(SOURCE_ATTRIBUTE, "")
    count = attributes.get(COUNT_ATTRIBUTE, "")
    attempts = int(count) if _COUNT.fullmatch(count) else 0
    return DeadLetter(
        job_id=task.job_id,
        task_index=task.task_index,
        publication=task.publication,
        target=target,
        message_id=envelope.message_id,
        attempts=attempts,
        last_error=f"Pub/Sub gave up delivering through {source or 'a subscription'}: "
        f"the {target} worker's log says why",
        dead_at=envelope.publish_time or utc_now(),
        message=_message(envelope),
    )


def _message(envelope: Envelope) -> dict[str, Any]:
    """The message as Pub/Sub's JSON has it."""
    stamp = rfc3339(envelope.publish_time) if envelope.publish_time else None
    return {
        "data": base64.b64encode(envelope.data).decode("ascii"),
        "attributes": dict(envelope.attributes),
        "messageId": envelope.message_id,
        **({"publishTime": stamp} if stamp else {}),
    }
