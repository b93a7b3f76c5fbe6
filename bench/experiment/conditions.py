"""Under which settings both targets really ran, as their records tell, and whether they are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from bench.experiment.pairs import Pairs

EQUAL: Final = ("engine", "precision", "threads", "batch_size", "preloaded")
"""What must be the same of both for a verdict to be about the targets."""
NOTED: Final = (*EQUAL, "isa", "cpu_model", "revision")
"""A cloud gives what CPU it has; a new revision in the middle is a change of conditions."""
_PINNED: Final = ("engine", "threads", "batch_size")


def conditions_of(pairs: Pairs) -> dict[str, Any]:
    """How many requests each setting was seen in, by target, and what is wrong with that."""
    seen = {name: {key: _counted(pairs, name, key) for key in NOTED} for name in pairs.experiment.names}
    return {"seen": seen, "unequal": [*_unequal(pairs, seen)], "requests": _requests(pairs)}


def _counted(pairs: Pairs, name: str, key: str) -> dict[str, int]:
    cells = (row.get(key, "") for arms in pairs.sound.values() for row in arms[name])
    return dict(Counter(cell for cell in cells if cell).most_common())


def _unequal(pairs: Pairs, seen: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Iterator[str]:
    """Findings in words."""
    first, second = pairs.experiment.names
    for key in EQUAL:
        a, b = (sorted(seen[name][key]) for name in (first, second))
        if a and b and a != b:
            yield f"{key} is {' and '.join(a)} of {first}, {' and '.join(b)} of {second}"
    for key in _PINNED:
        wanted = str(getattr(pairs.experiment.pinned, key))
        for name in (first, second):
            other = [seen for seen in seen[name][key] if seen != wanted]
            if other:
                yield f"pinned.{key} is {wanted}, {name} works with {' and '.join(other)}"
    for name in (first, second):
        if len(seen[name]["revision"]) > 1:
            yield f"{name} was deployed anew in the middle ({', '.join(seen[name]['revision'])})"


def _requests(pairs: Pairs) -> dict[str, Any]:
    """By target: instances, cold starts, and what no record was found of."""
    counts = {}
    for name in pairs.experiment.names:
        rows = [row for arms in pairs.sound.values() for row in arms[name]]
        counts[name] = {
            "requests": len(rows),
            "without a record": sum(not row["cold"] for row in rows),
            "instances seen": len({row["instance"] for row in rows if row.get("instance")}),
            "cold starts": sum(row["cold"] == "1" for row in rows),
            "of them among the warm, left out": sum(
                row["cold"] == "1" and row["phase"] == "warm" for row in rows
            ),
        }
    return counts
