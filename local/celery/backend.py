"""The stack without a cloud: Celery on an embedded Valkey brings the tasks, a folder keeps the results."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from local.addresses import choose_addresses
from local.celery.broker import give_back_held
from local.celery.services import broker, deliverers
from local.folder import StackFolder
from local.options import StackOptions
from local.service import Role, Service
from local.services import Layout, container, function
from pipeline.config.settings import Settings, default_store_url
from results.stores.open import open_store

RECOVERY_DELAY_S: Final = 3.0
"""By then the broker is up again, and who delivers has connected."""


class CeleryBackend:
    """See Backing; raises what `open_backing` says."""

    store_folder = ""
    losers = frozenset({Role.BROKER, Role.DELIVERER})
    recovery_delay_s = RECOVERY_DELAY_S

    def __init__(self, options: StackOptions, settings: Settings, folder: StackFolder) -> None:
        self.store_url = settings.store_url or default_store_url(options.folder)
        open_store(self.store_url).check()
        self.addresses = choose_addresses(options)
        self.recovers_first = any(folder.broker.iterdir())
        self._broker_folder = folder.broker
        places = {"store_url": self.store_url, "broker_url": self.addresses.broker_url}
        self._settings = settings.model_copy(update=places)

    def stages(self, layout: Layout) -> list[list[Service]]:
        """See Backing."""
        image_generators = [container(layout), function(layout)]
        return [[broker(layout, self._broker_folder, self._take_over)], image_generators, deliverers(layout)]

    def recover(self, closed: threading.Event) -> Iterable[str]:
        """See Backing."""
        return lost_in_broker(self._settings, closed)

    def _take_over(self) -> None:
        if self.recovers_first:
            give_back_held(self._settings)


def lost_in_broker(settings: Settings, closed: threading.Event) -> list[str]:
    """Publish again what the death of a broker or a deliverer has lost.

    kombu takes a message from the broker before it notes who has it: docs/adr/0006-lost-messages.md.

    Args:
        settings: of the stack, with its store and its broker.
        closed: see Backing.
    """
    # celery comes with it, which a stack that nothing happens to does without.
    from producer.celery.lost_tasks import SCAN_PAUSE_S
    from producer.recovery import recover_lost

    store = open_store(settings.require_store_url())
    return recover_lost(store, settings, lambda: closed.wait(SCAN_PAUSE_S)).as_lines()
