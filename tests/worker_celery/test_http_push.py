"""Posting to a real HTTP server: which answers acknowledge, which say busy, which failed."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest

from pipeline.config.settings import Settings
from pipeline.errors import SettingsError
from pipeline.protocol.clock import utc_now
from tests.support.servers.valkey import free_port
from tests.support.waiting import LIMIT_S
from tests.worker_celery.conftest import HttpTarget
from worker_celery.http_push import HttpPush
from worker_celery.push_response import PushResponseKind
from worker_celery.queued_delivery import QueuedDelivery

QUEUED_DELIVERY = QueuedDelivery("container", {"messageId": "m1", "data": "e30="})


def http_push(target: HttpTarget, timeout_s: float = LIMIT_S) -> HttpPush:
    return HttpPush(Settings(container_url=target.url, push_timeout_s=timeout_s))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, PushResponseKind.ACK), (201, PushResponseKind.ACK),
        (202, PushResponseKind.ACK), (204, PushResponseKind.ACK),
        (429, PushResponseKind.BUSY), (503, PushResponseKind.BUSY),
        (203, PushResponseKind.FAILED), (301, PushResponseKind.FAILED), (400, PushResponseKind.FAILED),
        (404, PushResponseKind.FAILED), (500, PushResponseKind.FAILED), (502, PushResponseKind.FAILED),
        (504, PushResponseKind.FAILED),
    ],
)  # fmt: skip
def test_status_codes_mean_what_they_mean_to_pubsub(
    target: HttpTarget, status: int, kind: PushResponseKind
) -> None:
    target.reply = lambda _: (status, {"Location": "/elsewhere"})
    answer = http_push(target).push(QUEUED_DELIVERY)
    assert answer.kind is kind
    assert (str(status) in answer.detail) == (kind is not PushResponseKind.ACK)
    assert len(target.bodies) == 1, "a redirect is not followed"


@pytest.mark.parametrize(
    ("header", "expected"), [("7", 7.0), ("0", 0.0), ("soon", None), ("-3", None), ("", None)]
)
def test_retry_after_in_seconds(target: HttpTarget, header: str, expected: float | None) -> None:
    target.reply = lambda _: (503, {"Retry-After": header})
    assert http_push(target).push(QUEUED_DELIVERY).retry_after_s == expected


def test_retry_after_as_a_date(target: HttpTarget) -> None:
    dates = iter([utc_now() + timedelta(seconds=4000), utc_now() - timedelta(hours=1)])
    target.reply = lambda _: (503, {"Retry-After": format_datetime(next(dates), usegmt=True)})
    push = http_push(target)
    assert 3000 < (push.push(QUEUED_DELIVERY).retry_after_s or 0) <= 4000
    assert push.push(QUEUED_DELIVERY).retry_after_s == 0.0


def test_no_answer_in_time_is_a_failure(target: HttpTarget) -> None:
    held = target.hold()
    answer = http_push(target, timeout_s=0.1).push(QUEUED_DELIVERY)
    held.set()
    assert answer.kind is PushResponseKind.FAILED
    assert "no answer" in answer.detail


def test_nobody_there_is_a_failure_that_says_so() -> None:
    port = free_port()
    settings = Settings(container_url=f"http://127.0.0.1:{port}/", push_timeout_s=1)
    answer = HttpPush(settings).push(QUEUED_DELIVERY)
    assert answer.kind is PushResponseKind.FAILED
    assert "Connection refused" in answer.detail


def test_a_target_without_a_url_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="DIPTYCH_FUNCTION_URL"):
        HttpPush(Settings()).push(QueuedDelivery("function", {}))
