"""Where the services of a stack listen."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from local.errors import StackError
from local.options import StackOptions
from local.ports import HOST, choose_port
from pipeline.config.pubsub_settings import PubSubAddress
from results.targets import PUSHED_TARGETS, Target

PROJECT: Final = "local"
TOPIC: Final = "diptych-tasks"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Ports on 127.0.0.1; 0 for a service that this stack does not have.

    Args:
        workers: by target that is pushed to.
    """

    workers: Mapping[Target, int]
    broker: int = 0
    pubsub: int = 0
    gcs: int = 0
    page: int = 0
    password: str = field(default="", repr=False)
    """Of Celery's broker: every user of this machine can reach a port."""

    @property
    def broker_url(self) -> str:
        """Where tasks are published: Celery's broker, or the emulator's topic."""
        return self.topic.url if self.pubsub else redis_url(self.broker, self.password)

    @property
    def topic(self) -> PubSubAddress:
        """The emulator's topic."""
        return PubSubAddress(PROJECT, TOPIC, f"{HOST}:{self.pubsub}")

    @property
    def gcs_url(self) -> str:
        """Where the storage server answers."""
        return f"http://{HOST}:{self.gcs}"

    @property
    def page_url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.page}/"

    def worker_url(self, target: Target) -> str:
        """Push endpoint of a target."""
        return f"http://{HOST}:{self.workers[target]}/"

    def worker_urls(self) -> dict[str, str]:
        """Every target's push endpoint, by the name of its setting."""
        return {f"{target}_url": self.worker_url(target) for target in PUSHED_TARGETS}


def redis_url(port: int, password: str) -> str:
    """The URL of the embedded broker, for Celery."""
    return f"redis://:{password}@{HOST}:{port}/0"


def choose_addresses(options: StackOptions, *, own_store: bool = True) -> Addresses:
    """Find every port that a stack needs.

    Args:
        options: the ports that the user named, and which services there are.
        own_store: with Pub/Sub: the stack has a storage server too.
    Raises:
        StackError: a port is taken, or named twice.
    """
    if options.broker == "celery":
        wanted = {"broker": options.port_broker}
    else:
        wanted = {"pubsub": options.port_pubsub, **({"gcs": options.port_gcs} if own_store else {})}
    wanted |= {target: options.port(target) for target in PUSHED_TARGETS}
    wanted |= {"page": options.port_page} if options.page else {}
    named = [port for port in wanted.values() if port]
    if len({*named}) < len(named):
        flags = ", ".join(f"--port-{service}" for service in wanted)
        raise StackError(f"two services cannot share a port: give {flags} different ones (0: any free port)")
    while True:
        found = {service: choose_port(port, service, f"--port-{service}") for service, port in wanted.items()}
        # The system may give a free port out twice: nobody listens on the first one yet.
        if len({*found.values()}) == len(found):
            workers = {target: found.pop(target) for target in PUSHED_TARGETS}
            return Addresses(workers, **found, password=secrets.token_urlsafe(24))
