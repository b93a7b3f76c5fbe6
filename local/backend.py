"""What a stack's workers stand on: who brings the tasks, and who keeps the results."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Protocol

from local.addresses import Addresses
from local.folder import StackFolder
from local.options import StackOptions
from local.service import Role, Service
from local.services import Layout
from pipeline.config.settings import Settings


class Backend(Protocol):
    """Celery on an embedded broker and a folder, or Google's emulator and a storage server.

    It is made before anything runs, and says then what is missing on this machine.
    """

    store_url: str
    store_folder: str
    """Where the store's objects lie if its server is one of this stack's own; else ""."""
    addresses: Addresses
    losers: frozenset[Role]
    """Whose death may lose tasks."""
    recovery_delay_s: float
    """From such a death to the first look for what is lost."""
    recovery_every_s: float | None
    """Between looks without a death; None: nothing is lost without one."""

    def stages(self, layout: Layout) -> list[list[Service]]:
        """The services in the order in which they start: who is called is there before who calls."""
        ...

    def recover(self, closed: threading.Event) -> Iterable[str]:
        """Publish lost tasks again; yields lines for the user.

        Args:
            closed: set when the stack ends: give up.
        Raises:
            PipelineError, ResultsError: not now; it is called again later.
        """
        ...


def open_backend(options: StackOptions, settings: Settings, folder: StackFolder) -> Backend:
    """Prepare what the options ask for.

    Args:
        options: what to start.
        settings: the user's own, from the environment; its store, if it names one, is used.
        folder: the stack's.
    Raises:
        StackError: a port is taken, or something is not installed; the text says what to do.
        StoreError: the store cannot be written.
    """
    if options.broker == "pubsub":
        from local.pubsub.backend import PubSubBackend

        return PubSubBackend(options, settings, folder)
    from local.celery.backend import CeleryBackend

    return CeleryBackend(options, settings, folder)
