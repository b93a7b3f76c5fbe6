"""Publishing to a real broker."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config.celery_settings import queue_name
from pipeline.config.settings import Settings
from pipeline.errors import BrokerError
from pipeline.protocol.task_message import decode_task
from producer.celery.publisher import CeleryPublisher
from producer.publish import task_message
from results.targets import Target
from tests.producer.conftest import NOW, make_manifest
from tests.support.servers.valkey import ValkeyServer, free_port

TARGETS: tuple[Target, ...] = ("container", "function", "celery")


def test_one_message_per_task_and_target(publisher: CeleryPublisher, valkey: ValkeyServer) -> None:
    manifest = make_manifest(targets=TARGETS)
    tasks = [task_message(manifest, index, 0, NOW, TARGETS) for index in range(4)]
    publisher.publish(tasks[:3])
    publisher.publish(tasks[3:])
    assert [valkey.length(queue_name(target)) for target in TARGETS] == [4, 4, 4]


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_on_the_queue(publisher: CeleryPublisher, valkey: ValkeyServer, target: Target) -> None:
    manifest = make_manifest(targets=TARGETS)
    publisher.publish([task_message(manifest, 2, 1, NOW, TARGETS)])
    envelope = json.loads(valkey.bulk(f"LINDEX {queue_name(target)} 0"))
    arguments = json.loads(base64.b64decode(envelope["body"]))[1]
    task = decode_task(base64.b64decode(arguments["message"]["data"]))
    assert task == task_message(manifest, 2, 1, NOW, (target,))
    assert (arguments["attempt"], arguments["busy"]) == (0, 0)
    assert arguments.get("target") == (None if target == "celery" else target)
    assert envelope["headers"]["task"] == ("diptych.paint" if target == "celery" else "diptych.deliver")


def test_a_broker_that_is_not_there_is_an_error() -> None:
    publisher = CeleryPublisher(Settings(broker_url=f"redis://:secret@127.0.0.1:{free_port()}/0"))
    with pytest.raises(BrokerError, match=r"does not answer .*Connection refused.*`diptych up`") as caught:
        publisher.publish([task_message(make_manifest(), 0, 0, NOW, ("container",))])
    assert "secret" not in str(caught.value)


def test_a_broker_that_dies_between_chunks_is_an_error(tmp_path: Path) -> None:
    broker = ValkeyServer(tmp_path / "valkey")
    broker.start()
    publisher = CeleryPublisher(Settings(broker_url=broker.url))
    task = task_message(make_manifest(), 0, 0, NOW, ("container",))
    publisher.publish([task])
    broker.kill()
    with pytest.raises(BrokerError, match="did not take the tasks"):
        publisher.publish([task])


def test_a_broker_url_that_makes_no_sense_is_an_error() -> None:
    publisher = CeleryPublisher(Settings(broker_url="nonsense://x"))
    with pytest.raises(BrokerError, match="nonsense"):
        publisher.publish([task_message(make_manifest(), 0, 0, NOW, ("container",))])


def test_celery_is_imported_only_to_publish() -> None:
    modules = "sys, producer.celery.publisher, diptych.commands.jobs.submit, producer.submit"
    code = f"import {modules}; print('celery' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
