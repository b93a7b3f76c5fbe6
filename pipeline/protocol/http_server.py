"""How gunicorn, which is under either HTTP target, meets its senders: alike on both, slow ones too."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import ClientDisconnected

from pipeline.protocol.http_response import HttpResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SERVER_THREADS: Final = 128
"""Of each process. One generates; the others answer health checks and "busy", and each may be held by a
sender who has sent nothing yet (for 5 s, gunicorn's own limit) or half a head (for as long as that lasts)."""
SILENCE_LIMIT_S: Final = 5.0
"""Longest wait for the next bytes of a body: gunicorn itself waits for ever, and its thread serves nobody."""
UNREADABLE: Final = (ParseException, NoMoreData, ClientDisconnected, TimeoutError)
"""What reading a body raises: bad chunks, an end before its time, silence."""

CONNECTION: Final = "gunicorn.socket"
"""Where gunicorn puts it in a request's environment."""

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
        if CONNECTION in environ:
            environ[CONNECTION].settimeout(SILENCE_LIMIT_S)
        return self._app(environ, start_response)


def malformed_request(error: Exception, environ: WSGIEnvironment) -> HttpResponse:
    """The answer to a request whose body cannot be read; logs a line.

    Args:
        error: one of UNREADABLE.
        environ: the request's.
    """
    if CONNECTION in environ:
        # gunicorn's main thread, which takes new connections, waits up to 2 s for the sender to end this one.
        with suppress(OSError):
            environ[CONNECTION].shutdown(socket.SHUT_RD)
    said = f"malformed request: {' '.join(str(error).split())[:200] or type(error).__name__}"
    _log.warning("%s", said)
    return HttpResponse(HTTPStatus.BAD_REQUEST, {}, f"{said}\n")
