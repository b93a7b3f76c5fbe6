"""What a worker says of its settings and of a broker that is away: in a line, at its start where it can."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.config.celery_settings import queue_name
from pipeline.config.settings import Settings
from producer.celery.publisher import CeleryPublisher
from results.targets import Target
from tests.support.servers.valkey import ValkeyServer
from tests.support.waiting import LIMIT_S, wait_until
from tests.worker_celery.conftest import HttpTarget, Workers, slowly, task
from worker_celery.startup_checks import caution


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"container_url": ""}, "error: where is the container worker? set DIPTYCH_CONTAINER_URL"),
        ({"store_url": "ftp://x"}, "error: bad store URL 'ftp://x'"),
        ({"push_attempts": "many"}, "error: bad setting push_attempts"),
    ],
)
def test_a_wrong_setting_ends_the_worker_with_a_line(
    workers: Workers, settings: dict[str, Any], text: str
) -> None:
    assert workers.start("container", **settings).wait(LIMIT_S) == 1
    assert text in workers.log_text()
    assert "Traceback" not in workers.log_text()


@pytest.mark.parametrize(
    ("target", "settings", "named"),
    [
        ("container", {}, ""),
        ("celery", {}, ""),
        ("container", {"push_timeout_s": 700}, "DIPTYCH_PUSH_TIMEOUT_S"),
        ("celery", {"push_timeout_s": 700}, ""),
        ("celery", {"deadline_s": 700}, "DIPTYCH_DEADLINE_S"),
        ("function", {"visibility_timeout_s": 60}, "DIPTYCH_PUSH_TIMEOUT_S"),
    ],
)
def test_a_visibility_timeout_that_is_too_short_is_told(
    target: Target, settings: dict[str, float], named: str
) -> None:
    found = caution(Settings.model_validate(settings), {queue_name(target)})
    assert bool(found) == bool(named)
    assert named in found


def test_a_broker_that_dies_is_told_without_tracebacks(
    publisher: CeleryPublisher, valkey: ValkeyServer, workers: Workers, target: HttpTarget
) -> None:
    target.reply = slowly(0.5)
    publisher.publish([task(index) for index in range(4)])
    workers.start("container", visibility_timeout_s=2)
    wait_until(lambda: target.bodies, "the first delivery")
    valkey.kill()
    wait_until(lambda: "Couldn't ack" in workers.log_text(), "the acknowledgement that fails")
    valkey.start()
    wait_until(lambda: len(set(target.message_ids())) == 4, "every task")
    assert "refused" in workers.log_text()
    assert "Traceback" not in workers.log_text()
