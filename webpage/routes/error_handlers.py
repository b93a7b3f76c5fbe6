"""Error handlers: each error becomes a response with a status and one line that says what is wrong."""

from __future__ import annotations

import logging
from typing import Final

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from model.errors import ModelError
from pipeline.errors import BrokerError, MessageError, PipelineError
from results.errors import (
    DocumentError,
    ImageError,
    JobNotFound,
    ObjectNotFound,
    ResultsError,
    StoreError,
)
from webpage.errors import ForeignRequest, PageError, TooManyStreams
from webpage.routes.html import not_found_page
from webpage.routes.security import harden

RETRY_AFTER_S: Final = 5

_STATUS: Final[tuple[tuple[type[Exception], int], ...]] = (
    (JobNotFound, 404),
    (ObjectNotFound, 404),
    (DocumentError, 422),
    (ImageError, 422),
    (TooManyStreams, 503),
    (ForeignRequest, 403),
    (BrokerError, 503),
    (MessageError, 400),
    (PipelineError, 400),
    (ModelError, 400),
)
_log = logging.getLogger(__name__)


def register_error_handlers(app: Flask) -> None:
    """Let the app answer every error in words."""
    for kind in (ResultsError, PipelineError, ModelError, PageError):
        app.register_error_handler(kind, _known)
    app.register_error_handler(ValueError, _bad_name)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _known(error: Exception) -> Response:
    if isinstance(error, StoreError) and not isinstance(error, ObjectNotFound):
        return _error_response(str(error), 503 if error.transient else 502)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return _error_response(str(error), status)


def _bad_name(error: ValueError) -> Response:
    """So `results.naming` refuses a job, a target or an index that cannot be one. Anything else is a bug."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace and trace.tb_frame.f_globals.get("__name__") == "results.naming":
        return _error_response(str(error), 404)
    return _unexpected(error)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status == 404 and not request.path.startswith(("/api/", "/assets/")) and _wants_html():
        return not_found_page()
    return _error_response(error.description or error.name, status)


def _unexpected(error: Exception) -> Response:
    _log.error("%s %s: %s", request.method, request.path[:200], error, exc_info=error)
    return _error_response("something unexpected happened; the page's log says what: please report it", 500)


def _wants_html() -> bool:
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _error_response(message: str, status: int) -> Response:
    response = jsonify({"error": " ".join(message.split())})
    response.status_code = status
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return harden(response)
