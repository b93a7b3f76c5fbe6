"""What a start imports, from the lines that Python prints when it profiles its imports."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

PACKAGES: Final = 10
_LINE: Final = re.compile(r"import time:\s*(\d+) \|\s*\d+ \|\s*([\w.]+)\s*$")


def imports_of(parts: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Seconds of imports, and the packages that took most of them.

    Args:
        parts: the worker's lines until its first response, and after it.
    """
    found: dict[str, Any] = {}
    for name, lines in zip(("until_first_response", "after_it"), parts, strict=False):
        seconds: Counter[str] = Counter()
        modules = 0
        for line in lines:
            # A line may begin with what another process was writing.
            match = _LINE.search(line)
            if match:
                seconds[match[2].partition(".")[0]] += int(match[1])
                modules += 1
        most = {package: round(spent / 1e6, 4) for package, spent in seconds.most_common(PACKAGES)}
        found[name] = {"seconds": round(seconds.total() / 1e6, 4), "modules": modules, "most": most}
    return found
