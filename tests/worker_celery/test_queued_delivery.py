"""What a Celery message carries, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageError
from worker_celery.queued_delivery import MAX_ERROR_CHARS, QueuedDelivery

MESSAGE = {"messageId": "m1", "data": "e30="}


def test_the_arguments_travel_there_and_back() -> None:
    queued_delivery = QueuedDelivery(
        "function", MESSAGE, attempt=2, busy=5, not_before=12.5, last_error="503"
    )
    assert QueuedDelivery.from_arguments(queued_delivery.arguments()) == queued_delivery
    assert queued_delivery.delivery_number == 8
    assert queued_delivery.message_id == "m1"


def test_what_the_producer_leaves_out_is_zero_and_unknown_arguments_are_ignored() -> None:
    queued_delivery = QueuedDelivery.from_arguments(
        {"target": "container", "message": MESSAGE, "from": "the future"}
    )
    assert queued_delivery == QueuedDelivery("container", MESSAGE)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "unknown target 'None'"),
        ({"target": "moon", "message": {}}, "unknown target 'moon'"),
        ({"target": ["container"], "message": {}}, "unknown target"),
        ({"target": "container"}, "`message` is not an object"),
        ({"target": "container", "message": "text"}, "`message` is not an object"),
        ({"target": "container", "message": {}, "attempt": -1}, "`attempt`"),
        ({"target": "container", "message": {}, "attempt": True}, "`attempt`"),
        ({"target": "container", "message": {}, "attempt": 1e3}, "`attempt`"),
        ({"target": "container", "message": {}, "busy": 10**7}, "`busy`"),
        ({"target": "container", "message": {}, "not_before": float("nan")}, "`not_before`"),
        ({"target": "container", "message": {}, "not_before": "soon"}, "`not_before`"),
    ],
)
def test_what_is_no_queued_delivery_is_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(MessageError, match=complaint):
        QueuedDelivery.from_arguments(arguments)


JUNK = st.one_of(st.none(), st.text(max_size=5), st.integers(), st.floats(), st.just([]), st.just({"a": 1}))


@given(
    st.fixed_dictionaries(
        {"target": st.sampled_from(["container", "celery", "moon"]) | JUNK, "message": st.just({}) | JUNK},
        optional={"attempt": JUNK, "busy": JUNK, "not_before": JUNK, "last_error": JUNK},
    )
)
def test_any_arguments_give_a_queued_delivery_or_a_message_error(arguments: dict[str, Any]) -> None:
    try:
        queued_delivery = QueuedDelivery.from_arguments(arguments)
    except MessageError:
        return
    assert QueuedDelivery.from_arguments(queued_delivery.arguments()) == queued_delivery


def test_busy_and_failed_are_counted_apart_and_errors_are_cut() -> None:
    queued_delivery = QueuedDelivery("container", MESSAGE)
    busy = queued_delivery.met_busy("503", 1.0)
    assert (busy.attempt, busy.busy, busy.last_error, busy.not_before) == (0, 1, "503", 1.0)
    failed = busy.met_failure("x" * 10_000, 2.0)
    assert (failed.attempt, failed.busy, failed.not_before) == (1, 1, 2.0)
    assert len(failed.last_error) == MAX_ERROR_CHARS
