"""What somebody may put into a Celery queue that is no task message of ours."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any, Final

_NO_OBJECTS: Final[tuple[Any, ...]] = (None, 7, [], "x")


def all_garbage(sound: dict[str, Any]) -> Iterator[bytes]:
    """Bytes, other JSON, and messages that are not whole.

    Args:
        sound: a message that is.
    """
    yield from (
        b"garbage",
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"7",
        b"{}",
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    )
    for name in ("body", "headers", "properties", "content-type", "content-encoding"):
        for wrong in _NO_OBJECTS:
            yield json.dumps({**sound, name: wrong}).encode()
    parts: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
        ("headers", "eta", (9999, "9999", "9999-12-31T23:59:59+00:00", "x", [])),
        ("headers", "expires", (9999, "1999-01-01", {})),
        ("headers", "task", (None, 7, [], "diptych.other")),
        ("headers", "id", (None, 7, {})),
        ("headers", "timelimit", (7, "x", [1])),
        ("headers", "compression", ("zlib", 7)),
        ("properties", "delivery_info", (None, 7, [], {}, {"exchange": None, "routing_key": "x"})),
        ("properties", "delivery_tag", (None, 7, [])),
        ("properties", "body_encoding", (None, "x")),
        ("properties", "priority", ("x", [])),
    )
    for part, name, values in parts:
        for value in values:
            yield json.dumps({**sound, part: {**sound[part], name: value}}).encode()
    bodies = (
        "",
        "null",
        "[]",
        "[1, 2, 3]",
        "[[], [], {}]",
        '[[], {"target": "\\ud800"}, {}]',
        '[[], {}, {"chain": [1]}]',
    )
    typed = '[[], {"x": {"__type__": "datetime", "__value__": "x"}}, {}]'
    for body in (*bodies, typed):
        yield json.dumps({**sound, "body": base64.b64encode(body.encode()).decode()}).encode()
    yield json.dumps({**sound, "body": base64.b64encode(b"\xff\xfe").decode()}).encode()
