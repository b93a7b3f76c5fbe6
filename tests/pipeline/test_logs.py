"""The logs: what Cloud Logging reads, and what people read; trace ids from both kinds of header."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from werkzeug.datastructures import Headers

from pipeline.config.settings import Settings
from pipeline.protocol.trace_ids import trace_id, trace_id_of
from pipeline.telemetry.logs import configure_logging, fields

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Put the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level


def logged(log_format: str, log_level: str = "INFO") -> io.StringIO:
    stream = io.StringIO()
    configure_logging(Settings.model_validate({"log_format": log_format, "log_level": log_level}), stream)
    return stream


def test_json_line_has_the_fields_that_cloud_logging_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    stream = logged("json")
    logging.getLogger("a.b").warning("%d images, ü", 3, extra=fields({"job": "j", "task": "4"}, TRACE))
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert entry["severity"] == "WARNING"
    assert entry["message"] == "3 images, ü"
    assert entry["logging.googleapis.com/trace"] == f"projects/my-project/traces/{TRACE}"
    assert entry["logging.googleapis.com/labels"] == {"job": "j", "task": "4"}
    assert datetime.fromisoformat(entry["time"]).tzinfo == UTC


def test_json_without_project_or_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    stream = logged("json")
    logging.getLogger("a").info("plain")
    logging.getLogger("a").info("traced", extra=fields({}, TRACE))
    plain, traced = map(json.loads, stream.getvalue().splitlines())
    assert set(plain) == {"severity", "message", "time", "logger"}
    assert traced["logging.googleapis.com/trace"] == TRACE


def test_json_keeps_a_traceback_on_one_line() -> None:
    stream = logged("json")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("a").exception("it broke")
    (line,) = stream.getvalue().splitlines()
    assert "it broke\nTraceback" in json.loads(line)["message"]


def test_text_is_for_people() -> None:
    stream = logged("text")
    logging.getLogger("a").info("done", extra=fields({"job": "j"}, TRACE))
    logging.getLogger("a").error("broken")
    first, second = stream.getvalue().splitlines()
    assert first.endswith(" done")
    assert second.endswith(" ERROR: broken")
    assert "{" not in first


def test_text_does_not_steer_the_terminal() -> None:
    stream = logged("text")
    logging.getLogger("a").warning("message %s rejected\nsecond line", "\x1b[2Jx\x00\r\x9b")
    assert stream.getvalue().endswith("message \\x1b[2Jx\\x00\\r\\x9b rejected\nsecond line\n")


def test_text_shows_a_traceback_below() -> None:
    stream = logged("text")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("a").exception("it broke")
    lines = stream.getvalue().splitlines()
    assert lines[0].endswith("ERROR: it broke")
    assert lines[-1] == "ValueError: why"


def test_level_and_a_second_call() -> None:
    first = logged("text", "ERROR")
    second = logged("text", "ERROR")
    logging.getLogger("a").warning("no")
    logging.getLogger("a").error("yes")
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1


def test_trace_id_of_requests() -> None:
    assert trace_id_of(Headers({"traceparent": TRACEPARENT})) == TRACE
    assert trace_id_of(Headers({"x-cloud-trace-context": f"{TRACE}/123;o=1", "traceparent": "junk"})) == TRACE
    assert trace_id_of({"X-Cloud-Trace-Context": "short/1", "traceparent": TRACEPARENT}) == TRACE
    assert trace_id_of({}) is None


@pytest.mark.parametrize("text", [None, "", "00", f"00-{TRACE}", TRACEPARENT.upper(), f"00-{TRACE}-xyz-01"])
def test_no_trace_id(text: str | None) -> None:
    assert trace_id(text) is None
