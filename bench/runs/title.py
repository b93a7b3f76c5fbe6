"""What a run measured, in words that claim no more: one machine says nothing of two cloud products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from bench.cloud.targets import deployed_title, stand_ins
from results.targets import TARGET_INFO, Target


def server_of(target: str) -> str:
    """What took a target's tasks; the target itself, if this version knows no such one."""
    info = TARGET_INFO.get(cast("Target", target))
    return info.server if info else target


def title_of(what: str, configuration: Mapping[str, Any]) -> str:
    """The title of a run.

    Args:
        what: "Load at".
        configuration: of the run: its `targets`, and if they were deployed ones `cloud`, and where they are.
    """
    names = [str(name) for name in configuration.get("targets") or ()]
    if configuration.get("cloud"):
        urls, store_url = configuration.get("urls") or {}, configuration.get("store_url") or ""
        return deployed_title(f"{what} {' and '.join(names)}", stand_ins([*urls.values()], store_url))
    return f"{what} {' and '.join(server_of(name) for name in names)} on this machine"
