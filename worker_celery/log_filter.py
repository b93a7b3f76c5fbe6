"""A Celery worker's logs without the tracebacks of what is expected: a broker or a store that is away."""

from __future__ import annotations

import logging

import redis
from kombu.exceptions import KombuError

from pipeline.errors import PipelineError
from results.errors import ResultsError

_TOLD_BY_THEIR_TEXT = (PipelineError, ResultsError, KombuError, redis.RedisError, OSError)


class LogFilter(logging.Filter):
    """Puts an expected error's text where its traceback would be. A bug's traceback stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record in place; none is left out."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, _TOLD_BY_THEIR_TEXT):
            record.msg, record.args = f"{record.getMessage().rstrip()} ({error})", ()
            record.exc_info = record.exc_text = None
        return True
