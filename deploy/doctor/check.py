"""The result of one check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    Args:
        name: what was checked.
        status: "skipped" if it could not be checked, or does not apply.
        detail: the finding, or why it was skipped.
        mend: a command that fixes it, or "".
    """

    name: str
    status: Status
    detail: str
    mend: str = ""

    def as_dict(self) -> dict[str, str]:
        """As JSON."""
        return asdict(self)

    def as_lines(self) -> Iterator[str]:
        """As lines to print: the finding, and below it the fix."""
        yield f"{self.status:<8} {self.name}: {self.detail}"
        if self.mend:
            first, *more = self.mend.splitlines()
            yield f"         fix: {first}"
            yield from (f"         {line}" for line in more)


def ok(name: str, detail: str) -> Check:
    """The check passed."""
    return Check(name, "ok", detail)


def warn(name: str, detail: str, mend: str = "") -> Check:
    """It works, but with a drawback or a risk."""
    return Check(name, "warn", detail, mend)


def fail(name: str, detail: str, mend: str = "") -> Check:
    """It does not work, or will not."""
    return Check(name, "fail", detail, mend)


def skipped(name: str, reason: str) -> Check:
    """It was not checked."""
    return Check(name, "skipped", reason)


def summary(checks: Sequence[Check]) -> str:
    """E.g. "12 checks: 10 ok, 1 fail, 1 skipped"."""
    counts = {
        status: sum(check.status == status for check in checks)
        for status in ("ok", "warn", "fail", "skipped")
    }
    parts = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return f"{len(checks)} checks: {parts}"
