"""The function: a Pub/Sub CloudEvent in; returns to acknowledge, raises to get it again.

    functions-framework --source worker_function/main.py --target handle

On SIGTERM the task in hand is finished if that takes less than `drain_s`, or else given back at the next
batch; the next delivery finds the images that are stored already.
"""

from __future__ import annotations

import os
import threading
from http import HTTPStatus

import flask
import functions_framework
from cloudevents.http import CloudEvent
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge, UnsupportedMediaType

from pipeline.config.settings import load_settings
from pipeline.protocol.envelope import MAX_BODY_BYTES
from pipeline.protocol.http_response import HttpResponse, http_response
from pipeline.protocol.http_server import SERVER_THREADS, UNREADABLE, ImpatientReading, malformed_request
from pipeline.protocol.outcomes import Result
from pipeline.protocol.trace_ids import trace_id_of
from pipeline.telemetry.logs import configure_logging
from pipeline.worker.handler import handle_cloud_event, handle_oversize, handle_push
from pipeline.worker.runtime import LazyRuntime, Runtime
from pipeline.worker.shutdown import ServerShutdown


class DeliverAgain(Exception):
    """Raised to get a message again: the platform does not acknowledge what raises.

    Args:
        result: the outcome, RETRY.
    """

    def __init__(self, result: Result) -> None:
        super().__init__(f"{result.reason}: {result.detail}")
        self.result = result


def _build() -> Runtime:
    settings = load_settings()
    configure_logging(settings)
    return Runtime(settings, settings.target or "function", shutdown=ServerShutdown(settings.drain_s))


_runtime = LazyRuntime(_build)


@functions_framework.cloud_event
def handle(event: CloudEvent) -> None:
    """Handle one delivery.

    Raises:
        DeliverAgain: the message must come again.
    """
    runtime = _runtime.get()
    trace = None
    if flask.has_request_context():
        trace = trace_id_of(flask.request.headers)
        flask.g.is_event = True
    _acknowledge_or_raise(
        handle_cloud_event(event.get_data(), runtime, trace=trace, wait_s=runtime.settings.slot_wait_s)
    )


def _acknowledge_or_raise(result: Result) -> None:
    if not result.outcome.acknowledged:
        raise DeliverAgain(result)


def _result(result: Result) -> flask.Response:
    return _response(http_response(result))


def _response(response: HttpResponse) -> flask.Response:
    return flask.Response(response.body, response.status, response.headers, mimetype="text/plain")


def _not_an_event(error: Exception) -> ResponseReturnValue:
    """What functions-framework makes no event of: by itself it answers 400 or 500, and it comes again.

    The core decodes the body if it can, or else keeps it in `rejected/`; whatever kind the error is of, since
    what a parser meets in strange input is never known in full.
    """
    if flask.g.get("is_event"):
        raise error  # ours, and not about what was sent
    if isinstance(error, HTTPException) and not isinstance(error, BadRequest | UnsupportedMediaType):
        return error  # no such page, no such method
    headers, runtime = flask.request.headers, _runtime.get()
    wait_s = runtime.settings.slot_wait_s
    body = flask.request.get_data()
    return _result(handle_push(body, runtime, headers=headers, trace=trace_id_of(headers), wait_s=wait_s))


def _malformed(error: Exception) -> flask.Response:
    """A body that cannot be read."""
    return _response(malformed_request(error, flask.request.environ))


def _oversize(error: Exception) -> flask.Response:  # noqa: ARG001 (Flask's signature)
    response = _result(handle_oversize(flask.request.content_length or MAX_BODY_BYTES + 1, _runtime.get()))
    response.headers["Connection"] = "close"
    return response


def _deliver_again(error: DeliverAgain) -> flask.Response:
    """Not acknowledged, in the container's own words (503 or 500) and without a traceback."""
    return _result(error.result)


def _without_a_body(response: flask.Response) -> flask.Response:
    """functions-framework acknowledges with 200 and a body, "OK", which the Pub/Sub emulator leaves unread.

    So its connection stays open, and gunicorn's sync worker waits 2 s for the end of it before it goes on.
    204, as the container answers, has no body.
    """
    if response.status_code == HTTPStatus.OK:
        response.set_data(b"")
        response.status_code = HTTPStatus.NO_CONTENT
    return response


def _prepare_after_fork() -> None:
    threading.Thread(target=_prepare, name="prepare", daemon=True).start()


def _prepare() -> None:
    if load_settings().preload:
        _runtime.get().prepare()


def _set_up(app: flask.Flask) -> None:
    # The platform's name for the request's timeout. functions-framework makes gunicorn's of it, which kills
    # a worker for its silence: also one that was frozen and is sound when it thaws.
    os.environ.pop("CLOUD_RUN_TIMEOUT_SECONDS", None)
    # With one thread a single idle connection would stop the function; left alone it has 4 for each CPU.
    os.environ.setdefault("THREADS", str(SERVER_THREADS))
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.wsgi_app = ImpatientReading(app.wsgi_app)  # type: ignore[method-assign]
    app.after_request(_without_a_body)
    app.register_error_handler(DeliverAgain, _deliver_again)
    app.register_error_handler(RequestEntityTooLarge, _oversize)
    for kind in UNREADABLE:
        app.register_error_handler(kind, _malformed)
    app.register_error_handler(Exception, _not_an_event)
    # functions-framework imports this file before its server forks, and an inference runtime that is loaded
    # before a fork hangs after it: so the child prepares itself, while its server starts.
    os.register_at_fork(after_in_child=_prepare_after_fork)


# functions-framework runs this file inside its app's context.
if flask.has_app_context():
    _set_up(flask.current_app)
