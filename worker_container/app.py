"""The Flask app: a push in, an outcome's status out. All work is in `pipeline`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from model.errors import ModelError
from pipeline.auth.push_auth import PushAuth, push_auth_of
from pipeline.config.settings import Settings, load_settings
from pipeline.protocol.envelope import MAX_BODY_BYTES
from pipeline.protocol.http_response import HttpResponse, http_response
from pipeline.protocol.http_server import UNREADABLE, ImpatientReading, malformed_request
from pipeline.protocol.outcomes import Result
from pipeline.protocol.trace_ids import trace_id_of
from pipeline.telemetry.logs import configure_logging
from pipeline.worker.handler import handle_dead_letter, handle_oversize, handle_push
from pipeline.worker.runtime import LazyRuntime, Runtime
from pipeline.worker.shutdown import Shutdown

EXTENSION = "diptych"
OPEN: Final = ("live", "ready")
"""Endpoints that ask for no token: the platform's health checks have none."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What an app holds.

    Args:
        runtime: built at the first push.
        shutdown: that runtime's own, for signal handlers and health checks that must not wait for it.
        auth: who may push; None: everybody, in words.
    """

    runtime: LazyRuntime
    shutdown: Shutdown
    auth: PushAuth | None


def create_app(settings: Settings | None = None) -> Flask:
    """Make the app. Clients and models come later, in the process that serves.

    Args:
        settings: default: read from the environment.
    Raises:
        SettingsError: a setting is missing or wrong.
    """
    settings = settings or load_settings()
    settings.require_store_url()
    auth = push_auth_of(settings)
    configure_logging(settings)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.wsgi_app = ImpatientReading(app.wsgi_app)  # type: ignore[method-assign]
    shutdown = Shutdown(settings.drain_s)
    target = settings.target or "container"
    runtime = LazyRuntime(lambda: Runtime(settings, target, shutdown=shutdown))
    app.extensions[EXTENSION] = Serving(runtime, shutdown, auth)
    app.before_request(refuse)
    app.add_url_rule("/", view_func=push, methods=["POST"])
    app.add_url_rule("/dead-letter", view_func=dead_letter, methods=["POST"])
    app.add_url_rule("/health/live", view_func=live)
    app.add_url_rule("/health/ready", view_func=ready)
    app.register_error_handler(RequestEntityTooLarge, oversize)
    for kind in UNREADABLE:
        app.register_error_handler(kind, malformed)
    return app


def serving(app: Flask) -> Serving:
    """What an app made by `create_app` holds."""
    held: Serving = app.extensions[EXTENSION]
    return held


def refuse() -> Response | None:
    """Ahead of every request but the health checks: what it is answered if its sender may not push.

    Its body is neither read nor kept, and nothing is written to the store.
    """
    auth = serving(current_app).auth
    if auth is None or request.endpoint in OPEN:
        return None
    refusal = auth.refusal(request.headers)
    if refusal is None:
        return None
    response = Response(refusal.body, refusal.status, refusal.headers, mimetype="text/plain")
    if request.content_length is None or request.content_length > MAX_BODY_BYTES:
        # The server reads what is left of a body before it keeps a connection.
        response.headers["Connection"] = "close"
    return response


def push() -> Response:
    """`POST /`: one delivery."""
    body = request.get_data()
    runtime = serving(current_app).runtime.get()
    trace, wait_s = trace_id_of(request.headers), runtime.settings.slot_wait_s
    return _result(handle_push(body, runtime, headers=request.headers, trace=trace, wait_s=wait_s))


def dead_letter() -> Response:
    """`POST /dead-letter`: what Pub/Sub has given up delivering, to either target."""
    body = request.get_data()
    runtime = serving(current_app).runtime.get()
    return _result(handle_dead_letter(body, runtime, trace=trace_id_of(request.headers)))


def malformed(error: Exception) -> Response:
    """A body that cannot be read."""
    return _response(malformed_request(error, request.environ))


def oversize(error: RequestEntityTooLarge) -> Response:  # noqa: ARG001 (Flask's signature)
    """A body over the limit, refused by its length before it is read."""
    length = request.content_length or MAX_BODY_BYTES + 1
    response = _result(handle_oversize(length, serving(current_app).runtime.get()))
    # The rest of the body is on its way still: do not wait for it.
    response.headers["Connection"] = "close"
    return response


def live() -> Response:
    """`GET /health/live`: this process answers, also while it generates."""
    return Response("ok\n", mimetype="text/plain")


def ready() -> Response:
    """`GET /health/ready`: not stopping, and the default model's checkpoint is present and sound."""
    held = serving(current_app)
    if held.shutdown.started:
        return _unready("this worker is stopping")
    try:
        held.runtime.get().engines.check_default_model()
    except ModelError as error:
        return _unready(str(error))
    return Response("ready\n", mimetype="text/plain")


def _unready(reason: str) -> Response:
    return Response(f"not ready: {reason}\n", 503, mimetype="text/plain")


def _result(result: Result) -> Response:
    return _response(http_response(result))


def _response(response: HttpResponse) -> Response:
    return Response(response.body, response.status, response.headers, mimetype="text/plain")
