"""Wall-clock stamps: UTC, microseconds, RFC 3339. Durations come from `time.monotonic`, never from here."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The time now, timezone-aware UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC with microseconds, e.g. "2026-11-24T09:30:00.000001Z".

    Args:
        moment: timezone-aware.
    Raises:
        ValueError: `moment` is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("a stamp must carry its time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 stamp; digits beyond microseconds are dropped.

    Raises:
        ValueError: not a stamp, no time zone, or outside the years that UTC can hold.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:60]!r} is not an RFC 3339 time with a time zone") from error
