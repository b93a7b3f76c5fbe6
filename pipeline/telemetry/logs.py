"""Logs: one JSON object a line with the fields that Cloud Logging reads, or text for a terminal.

Source: https://cloud.google.com/logging/docs/structured-logging#structured_logging_special_fields
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TextIO

from pipeline.config.settings import Settings
from pipeline.protocol.clock import rfc3339

LABELS_KEY: Final = "logging.googleapis.com/labels"
TRACE_KEY: Final = "logging.googleapis.com/trace"
_OURS: Final = "_diptych_handler"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Send all logs of this process to one handler; calling it again replaces that handler.

    Args:
        settings: log_format and log_level.
        stream: where to; default stderr.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    project = os.environ.get("GOOGLE_CLOUD_PROJECT", "")
    handler.setFormatter(JsonFormatter(project) if settings.log_format == "json" else TextFormatter())
    setattr(handler, _OURS, True)
    root = logging.getLogger()
    for old in [old for old in root.handlers if hasattr(old, _OURS)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.log_level)


def fields(labels: Mapping[str, str], trace: str | None = None) -> dict[str, object]:
    """The `extra` of a log call.

    Args:
        labels: e.g. job, task, target, delivery.
        trace: trace id, if known.
    """
    return {"labels": dict(labels), "trace": trace}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: severity, message, time, logger, labels, trace.

    Args:
        project: Google Cloud project, for the trace's full name; "" leaves the bare id.
    """

    def __init__(self, project: str = "") -> None:
        super().__init__()
        self._project = project

    def format(self, record: logging.LogRecord) -> str:
        """Format a record; a traceback goes into the message, as Error Reporting wants it."""
        message = record.getMessage()
        if record.exc_info:
            message = f"{message}\n{self.formatException(record.exc_info)}"
        entry: dict[str, object] = {
            "severity": record.levelname,
            "message": message,
            "time": rfc3339(datetime.fromtimestamp(record.created, UTC)),
            "logger": record.name,
        }
        if labels := getattr(record, "labels", None):
            entry[LABELS_KEY] = labels
        if trace := getattr(record, "trace", None):
            entry[TRACE_KEY] = f"projects/{self._project}/traces/{trace}" if self._project else trace
        return json.dumps(entry, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """For people: time, level where it matters, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record on one line; a traceback, where there is one, follows it."""
        moment = datetime.fromtimestamp(record.created, UTC).astimezone()
        level = "" if record.levelno <= logging.INFO else f"{record.levelname}: "
        # What a message quotes from a network must not steer the terminal.
        message = _CONTROL.sub(lambda found: repr(found[0])[1:-1], record.getMessage())
        text = f"{moment:%H:%M:%S} {level}{message}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text
