"""What the reports of deployed runs have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.runs.page import plain_table


def usage_table(usage: Mapping[str, Any]) -> str:
    """Cloud Monitoring's figures by target, or why there are none; "" if nobody asked."""
    if not usage:
        return ""
    rows = [(target, part["service"], *_cells(part)) for target, part in usage.items()]
    head = ("", "service", "instances at once, most", "billed seconds", "")
    return plain_table("Cloud Monitoring, whole minutes of whoever asked the service", head, rows, words=1)


def usage_lines(usage: Mapping[str, Any]) -> Iterator[str]:
    """The same for the terminal."""
    for target, part in usage.items():
        instances, billed, note = _cells(part)
        numbers = "; ".join(part for part in (instances and f"at most {instances} instances", billed) if part)
        figures = f"{numbers} s billed" if billed else numbers
        yield f"{target:10} {figures}{'; ' if figures and note else ''}{note}"


def _cells(part: Mapping[str, Any]) -> tuple[str, str, str]:
    instances, billed = part["instances"], part["billed"]
    states = ", ".join(
        f"{name.removeprefix('most_')} {value:g}"
        for name, value in instances.items()
        if name.startswith("most_")
    )
    most = f"{instances['most']:g} ({states})" if "most" in instances else ""
    notes = dict.fromkeys(part["note"] for part in (instances, billed, part) if "note" in part)
    return most, f"{billed['sum_s']:.1f}" if "sum_s" in billed else "", "; ".join(notes)
