"""Where the services of a stack listen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from local.broker import broker_url
from local.errors import StackError
from local.options import StackOptions
from local.ports import HOST, choose_port

_SERVICES: Final = 3


@dataclass(frozen=True, slots=True)
class Addresses:
    """Ports on 127.0.0.1."""

    broker: int
    container: int
    function: int

    @property
    def broker_url(self) -> str:
        """For Celery."""
        return broker_url(self.broker)

    @property
    def container_url(self) -> str:
        """Push endpoint of the container."""
        return f"http://{HOST}:{self.container}/"

    @property
    def function_url(self) -> str:
        """Push endpoint of the function."""
        return f"http://{HOST}:{self.function}/"


def choose_addresses(options: StackOptions) -> Addresses:
    """Find every port that a stack needs. Raises StackError: one is taken, or named twice."""
    named = [port for port in (options.port_broker, options.port_container, options.port_function) if port]
    if len({*named}) < len(named):
        raise StackError(
            "two services cannot share a port: give --port-broker, --port-container and --port-function"
            " different ones (0: any free port)"
        )
    while True:
        found = Addresses(
            broker=choose_port(options.port_broker, "broker", "--port-broker"),
            container=choose_port(options.port_container, "container", "--port-container"),
            function=choose_port(options.port_function, "function", "--port-function"),
        )
        # The system may give a free port out twice: nobody listens on the first one yet.
        if len({found.broker, found.container, found.function}) == _SERVICES:
            return found
