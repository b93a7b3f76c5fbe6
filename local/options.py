"""What a stack is made of, as the user asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.config.cpus import usable_cpus
from results.targets import PUSHED_TARGETS, Target

Broker = Literal["celery", "pubsub"]
"""Who brings the tasks: Celery on an embedded Valkey, or Google's Pub/Sub emulator, with a bucket."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What to start.

    Args:
        folder: where `.diptych` lies.
        broker: who brings the tasks.
        store_url: where results go; "" for the folder's own store.
        container_slots: tasks generated at once by the container, each in a process of its own.
        function_slots: the same for the function.
        celery_slots: worker processes of the target `celery`; 0 for none, as Pub/Sub does not reach it.
        page: whether the page is served too.
        port_broker: port on 127.0.0.1 of Celery's broker; 0 for any free one. The other ports likewise.
        environment: variables of every service, on top of our own environment.
    """

    folder: Path
    broker: Broker = "celery"
    store_url: str = ""
    container_slots: int = 1
    function_slots: int = 1
    celery_slots: int = 0
    page: bool = False
    port_broker: int = 0
    port_container: int = 0
    port_function: int = 0
    port_pubsub: int = 0
    port_gcs: int = 0
    port_page: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)

    def slots(self, target: Target) -> int:
        """Tasks that a target generates at once."""
        return int(getattr(self, f"{target}_slots"))

    def port(self, target: Target) -> int:
        """The port that the user chose for a target that is pushed to; 0: any free one."""
        return int(getattr(self, f"port_{target}"))

    @property
    def targets(self) -> tuple[str, ...]:
        """Who generates in this stack."""
        return (*PUSHED_TARGETS, *(("celery",) if self.celery_slots else ()))


def default_slots() -> int:
    """Slots per target, the same for both, so that together they fill the CPUs that may be used."""
    return max(1, usable_cpus() // 2)
