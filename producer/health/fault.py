"""Something that keeps a job from going on."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and what mends it.

    Args:
        what: one line.
        mend: a command, or "" if nothing need be done.
        stops: the job stands still because of it; else only some of its tasks do.
    """

    what: str
    mend: str
    stops: bool = True

    def as_dict(self) -> dict[str, str | bool]:
        """Ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.what}: `{self.mend}`" if self.mend else self.what
