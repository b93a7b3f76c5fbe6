"""Task messages for tests."""

from __future__ import annotations

from typing import Any

from pipeline.protocol.clock import utc_now
from pipeline.protocol.task_message import TaskMessage

DIGEST = "sha256:" + "ab" * 32


def a_task(**changes: Any) -> TaskMessage:
    """A small valid task; keyword arguments replace fields."""
    fields: dict[str, Any] = {
        "job_id": "job-a",
        "publication": 0,
        "publication_started_at": utc_now(),
        "task_index": 0,
        "first_index": 0,
        "image_count": 3,
        "model": "tiny",
        "model_digest": DIGEST,
        "seed": 7,
        "targets": ("container", "function"),
        "submitted_at": utc_now(),
    }
    return TaskMessage(**{**fields, **changes})
