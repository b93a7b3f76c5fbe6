"""Connect to Pub/Sub: to the emulator without credentials, to the service with them.

Google's libraries are imported on connecting: they take half a second, which `--help` should not spend.
"""

from __future__ import annotations

import os
import socket
from typing import Any, Final

from pipeline.config.pubsub_settings import PubSubAddress
from producer.pubsub.errors import broker_error, client_errors, emulator_gone

SCOPES: Final = ("https://www.googleapis.com/auth/pubsub",)
PROBE_LIMIT_S: Final = 3.0


def emulator_channel(address: PubSubAddress) -> Any:
    """Open a channel to the emulator. Raises BrokerError at once if nothing is listening."""
    host, _, port = address.emulator.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_LIMIT_S).close()
    except OSError as error:
        raise emulator_gone(address, error.strerror or str(error)) from error
    _quiet()
    import grpc  # type: ignore[import-untyped]

    # The emulator is local: never through a proxy.
    return grpc.insecure_channel(address.emulator, options=[("grpc.enable_http_proxy", 0)])


def fresh_credentials(address: PubSubAddress) -> Any:
    """Find the application-default credentials and fetch a token with them.

    gRPC alone treats expired credentials as an unavailable service and retries for a minute.

    Raises:
        BrokerError: credentials are missing or expired, or the network is down.
    """
    _quiet()
    import google.auth
    from google.auth.transport.requests import Request

    try:
        credentials, _ = google.auth.default(scopes=SCOPES)
        if not credentials.valid:
            credentials.refresh(Request())  # type: ignore[no-untyped-call]
    except client_errors() as error:
        raise broker_error(error, address) from error
    return credentials


def _quiet() -> None:
    """Silence gRPC's log unless the user has set its level; gRPC reads the variable at import."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
