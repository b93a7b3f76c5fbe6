"""What a run measured, in words that claim no more: one machine says nothing of two cloud products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SERVERS: Final[Mapping[str, str]] = {
    "container": "gunicorn",
    "function": "functions-framework",
    "celery": "a Celery worker",
}


def title_of(what: str, configuration: Mapping[str, Any]) -> str:
    """The title of a run.

    Args:
        what: "Load at".
        configuration: of the run: its `targets`, and `cloud` if they were deployed ones.
    """
    names = [str(name) for name in configuration.get("targets") or ()]
    if configuration.get("cloud"):
        return f"{what} {' and '.join(names)}, deployed"
    return f"{what} {' and '.join(SERVERS.get(name, name) for name in names)} on this machine"
