"""One finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at and what was found.

    Args:
        name: what was looked at.
        status: "skipped" if it could not be looked at, or makes no sense here.
        detail: what was found, or why it was skipped.
        mend: a command that mends it, or "".
    """

    name: str
    status: Status
    detail: str
    mend: str = ""

    def as_dict(self) -> dict[str, str]:
        """Ready for JSON."""
        return asdict(self)

    def as_lines(self) -> Iterator[str]:
        """For people: the finding, and below it the command."""
        yield f"{self.status:<8} {self.name}: {self.detail}"
        if self.mend:
            first, *more = self.mend.splitlines()
            yield f"         mend it with: {first}"
            yield from (f"         {line}" for line in more)


def ok(name: str, detail: str) -> Check:
    """It is as it should be."""
    return Check(name, "ok", detail)


def warn(name: str, detail: str, mend: str = "") -> Check:
    """It works, but not as well as it should, or not for ever."""
    return Check(name, "warn", detail, mend)


def fail(name: str, detail: str, mend: str = "") -> Check:
    """It does not work, or will not."""
    return Check(name, "fail", detail, mend)


def skipped(name: str, why: str) -> Check:
    """It was not looked at."""
    return Check(name, "skipped", why)


def summary(checks: Sequence[Check]) -> str:
    """E.g. "12 checks: 10 ok, 1 fail, 1 skipped"."""
    counts = {
        status: sum(check.status == status for check in checks)
        for status in ("ok", "warn", "fail", "skipped")
    }
    parts = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return f"{len(checks)} checks: {parts}"
