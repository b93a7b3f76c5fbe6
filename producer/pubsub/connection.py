"""The producer's connections to Pub/Sub: to an emulator without credentials, to the service with them.

Google's libraries are imported when somebody connects: they cost half a second that `--help` need not pay.
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
    """Open a channel to the emulator. Raises BrokerError at once if nothing listens there."""
    host, _, port = address.emulator.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_LIMIT_S).close()
    except OSError as error:
        raise emulator_gone(address, error.strerror or str(error)) from error
    _quiet()
    import grpc  # type: ignore[import-untyped]

    # A proxy in the environment is for the world outside.
    return grpc.insecure_channel(address.emulator, options=[("grpc.enable_http_proxy", 0)])


def fresh_credentials(address: PubSubAddress) -> Any:
    """Find the application-default credentials and fetch a token with them.

    Left to itself, gRPC takes expired ones for a service that is away, and tries for a minute.

    Raises:
        BrokerError: there are none, they have expired, or the network is down.
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
    """Keep gRPC's own log off the terminal, unless a user has asked for it; it is read at import."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
