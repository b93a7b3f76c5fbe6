"""What is wrong with a worker's settings for its queues: told at its start, not at each task."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.config.celery_settings import queue_name
from pipeline.config.settings import Settings
from pipeline.errors import SettingsError


def check_targets(settings: Settings, queues: Collection[str]) -> None:
    """Check that the targets of these queues can be reached.

    Raises:
        SettingsError: one has no URL: each of its tasks would be given back for ever.
    """
    urls = {"container": settings.container_url, "function": settings.function_url}
    for target in ("container", "function"):
        if queue_name(target) in queues and not urls[target]:
            raise SettingsError(f"where is the {target} worker? set DIPTYCH_{target.upper()}_URL")


def caution(settings: Settings, queues: Collection[str]) -> str:
    """Say if the broker would give a task out again while it is still in hand; "" if all is well."""
    generates = queue_name("celery") in queues
    name, longest_s = (
        ("DIPTYCH_DEADLINE_S", settings.deadline_s)
        if generates
        else ("DIPTYCH_PUSH_TIMEOUT_S", settings.push_timeout_s)
    )
    if longest_s + settings.backoff_max_s < settings.visibility_timeout_s:
        return ""
    return (
        f"DIPTYCH_VISIBILITY_TIMEOUT_S is {settings.visibility_timeout_s}, not above {name} ({longest_s:g}) +"
        f" DIPTYCH_BACKOFF_MAX_S ({settings.backoff_max_s:g}): a long task may be delivered while it runs"
    )
