"""A request's body, as the server under either HTTP target gives it: in time, or refused in a line."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import ClientDisconnected

from pipeline.protocol.http_response import HttpResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SILENCE_LIMIT_S: Final = 5.0
"""Longest wait for the next bytes of a body: gunicorn itself waits for ever, and its thread serves nobody."""
UNREADABLE: Final = (ParseException, NoMoreData, ClientDisconnected, TimeoutError)
"""What reading a body raises: bad chunks, an end before its time, silence."""

_log = logging.getLogger(__name__)


class ImpatientReading:
    """WSGI middleware: who sends half a body is not waited for.

    Args:
        app: what it stands in front of.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        connection = environ.get("gunicorn.socket")
        if connection is not None:
            connection.settimeout(SILENCE_LIMIT_S)
        return self._app(environ, start_response)


def malformed_request(error: Exception) -> HttpResponse:
    """The answer to a request whose body cannot be read; logs a line.

    Args:
        error: one of UNREADABLE.
    """
    said = f"malformed request: {' '.join(str(error).split())[:200] or type(error).__name__}"
    _log.warning("%s", said)
    return HttpResponse(HTTPStatus.BAD_REQUEST, {}, f"{said}\n")
