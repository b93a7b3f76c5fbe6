"""The Flask app of the page: what is asked for, checked, answered."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from flask import Flask, request

from pipeline.config.settings import Settings
from results.stores.base import Store
from results.stores.open import open_store
from webpage.app_state import EXTENSION, MAX_STREAMS, AppState, current_state
from webpage.routes.error_handlers import register_error_handlers
from webpage.routes.html import html_routes
from webpage.routes.images import api_images
from webpage.routes.jobs import api_jobs
from webpage.routes.security import SAFE_METHODS, check_host, check_write, harden

MAX_BODY_BYTES: Final = 64 * 1024


def create_app(
    settings: Callable[[], Settings],
    *,
    store: Store | None = None,
    allowed_hosts: Collection[str] = (),
    max_streams: int = MAX_STREAMS,
) -> Flask:
    """Make the app.

    Args:
        settings: reads the settings; called again at each submission.
        store: where the jobs are; default: the one that the settings name now.
        allowed_hosts: names under which the page may be asked for, beside localhost and IP addresses.
        max_streams: event streams that may be open at once; each holds a thread of the server.
    Raises:
        SettingsError: there is no store.
        StoreError: its URL makes no sense.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions[EXTENSION] = AppState(
        store=store or open_store(settings().require_store_url()),
        settings=settings,
        allowed_hosts=frozenset(name.lower() for name in allowed_hosts),
        max_streams=max_streams,
    )
    for part in (html_routes, api_jobs, api_images):
        app.register_blueprint(part)
    app.before_request(_check)
    app.after_request(harden)
    register_error_handlers(app)
    return app


def app_state_of(app: Flask) -> AppState:
    """The state of an app made by `create_app`."""
    state: AppState = app.extensions[EXTENSION]
    return state


def _check() -> None:
    state = current_state()
    check_host(request, state.allowed_hosts)
    if request.method not in SAFE_METHODS:
        check_write(request, state.token)
