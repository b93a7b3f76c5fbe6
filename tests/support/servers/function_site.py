"""A served function bundle with its store, its model, and what is sent to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests
from cloudevents.http import CloudEvent

from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import queued_message
from pipeline.protocol.task_message import TaskMessage
from results.documents import load
from results.naming import record_name
from results.record import Record
from results.stores.base import Store
from results.stores.open import open_store
from tests.support.builders.checkpoints import save_tiny
from tests.support.builders.tasks import a_task
from tests.support.servers.function_worker import FunctionServer

JSON = {"Content-Type": "application/json"}


class Site:
    """One served bundle with its store and its model."""

    def __init__(self, folder: Path, bundle: Path, *, threads: int = 8, **settings: object) -> None:
        self.digest = save_tiny(folder / "models", resolution=32)
        store_url = (folder / "store").as_uri()
        self.store: Store = open_store(store_url)
        chosen = {"store_url": store_url, "model_dir": folder / "models", "default_model": "tiny"}
        self.server = FunctionServer(bundle, folder, threads, **{**chosen, **settings})

    def task(self, index: int, **changes: Any) -> TaskMessage:
        fields = {"model_digest": self.digest, "task_index": index, "first_index": index * 3, **changes}
        return a_task(**fields)

    def message(self, task: TaskMessage) -> dict[str, Any]:
        return queued_message(task, f"m{task.task_index}", utc_now())

    def push(self, body: bytes, headers: dict[str, str] | None = None) -> requests.Response:
        return requests.post(self.server.url, data=body, headers=headers or JSON, timeout=60)

    def record(self, task: TaskMessage) -> Record:
        name = record_name(task.job_id, "function", task.task_index)
        return load(Record, self.store.read(name), name)

    def rejections(self) -> int:
        return sum(1 for _ in self.store.list("rejected/"))


def event_of(message: dict[str, Any]) -> CloudEvent:
    attributes = {
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "source": "//pubsub.googleapis.com/projects/p/topics/diptych",
        "id": message["messageId"],
        "time": message["publishTime"],
        "datacontenttype": "application/json",
    }
    return CloudEvent(attributes, {"message": message, "subscription": "projects/p/subscriptions/s"})
