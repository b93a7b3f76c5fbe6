"""gunicorn's settings for work that keeps a core busy. gunicorn runs this file when it reads its settings:

gunicorn -c python:worker_container.gunicorn_conf 'worker_container.app:create_app()'
"""

from __future__ import annotations

import math
import os
import signal
import sys
from types import FrameType
from typing import Any

from pipeline.auth.push_auth import push_auth_of
from pipeline.config.settings import load_settings
from pipeline.errors import SettingsError
from pipeline.protocol.http_server import SERVER_THREADS
from pipeline.telemetry.tracing import check_tracing
from results.errors import StoreError
from results.stores.open import open_store
from worker_container.app import serving

try:
    _settings = load_settings()
    open_store(_settings.require_store_url())
    push_auth_of(_settings)
    check_tracing(_settings)
except (SettingsError, StoreError) as _error:
    sys.exit(f"error: {_error}")

# Cloud Run says where to listen; by hand it is for this machine only.
bind = f"0.0.0.0:{os.environ['PORT']}" if "PORT" in os.environ else "127.0.0.1:8080"

# One process for each generation slot, one slot in each: inference threads that share a process slow each
# other down, and CPU seconds can only be told apart by process.
workers = _settings.slots
worker_class = "gthread"
threads = SERVER_THREADS
# Each process builds its own clients and engine: after a fork of a loaded one they hang.
preload_app = False

# No timer kills a worker, as none kills the function's: a frozen one is sound when it thaws, and an engine
# that keeps the interpreter busy is `pipeline.worker.watchdog`'s business, on every target.
timeout = 0
# Work that would outlast drain_s is given back; one batch may be in hand still.
graceful_timeout = math.ceil(_settings.drain_s) + 30

control_socket_disable = True
accesslog = None  # the worker logs one line for each delivery
loglevel = "warning"


def post_worker_init(worker: Any) -> None:
    """Runs in the worker process, once the app is loaded and gunicorn has set its signal handlers."""
    held = serving(worker.app.wsgi())

    def stop(number: int, frame: FrameType | None) -> None:
        held.shutdown.start()
        worker.handle_exit(number, frame)

    # gunicorn drops the work in hand on SIGINT and SIGQUIT. Here each of them finishes it or gives it back.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, stop)
        signal.siginterrupt(number, False)
    held.runtime.get().prepare()
