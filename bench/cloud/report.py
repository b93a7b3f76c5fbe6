"""What the reports of deployed runs have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.runs.page import plain_table


def usage_table(usage: Mapping[str, Any]) -> str:
    """Cloud Monitoring's figures by target, or why there are none; "" if nobody asked."""
    if not usage:
        return ""
    rows = [(target, of["service"], *_cells(of)) for target, of in usage.items()]
    head = ("", "service", "instances at once, most", "billed seconds", "")
    return plain_table("Cloud Monitoring, whole minutes of whoever asked the service", head, rows, words=1)


def usage_lines(usage: Mapping[str, Any]) -> Iterator[str]:
    """The same for the terminal."""
    for target, of in usage.items():
        instances, billed, note = _cells(of)
        told = "; ".join(part for part in (instances and f"at most {instances} instances", billed) if part)
        yield f"{target:10} {told + ' s billed' if billed else told}{'; ' if told and note else ''}{note}"


def _cells(of: Mapping[str, Any]) -> tuple[str, str, str]:
    instances, billed = of["instances"], of["billed"]
    states = ", ".join(
        f"{name.removeprefix('most_')} {value:g}"
        for name, value in instances.items()
        if name.startswith("most_")
    )
    most = f"{instances['most']:g} ({states})" if "most" in instances else ""
    notes = dict.fromkeys(part["note"] for part in (instances, billed, of) if "note" in part)
    return most, f"{billed['sum_s']:.1f}" if "sum_s" in billed else "", "; ".join(notes)
