"""Dead letters: where the end of a task's deliveries is written down, whichever queue gave up on it."""

from __future__ import annotations

from results.documents import DeadLetter, create_once
from results.naming import deadletter_name, record_name
from results.stores.base import Store


def write_dead_letter(store: Store, letter: DeadLetter) -> str | None:
    """Write a dead letter; one that is there already is left as it is.

    A task that has been recorded is not dead, whatever became of its last delivery: the answer to the one
    that did the work may have been lost. If the record comes later, it outweighs the letter.

    Returns:
        The letter's name, new or old; None if the task has been recorded.
    Raises:
        StoreError: the store refused.
    """
    if store.stat(record_name(letter.job_id, letter.target, letter.task_index)) is not None:
        return None
    name = deadletter_name(letter.job_id, letter.target, letter.task_index, letter.publication)
    create_once(store, name, letter)
    return name
