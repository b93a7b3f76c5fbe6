"""The stack on Google's Pub/Sub emulator, with a storage server's bucket for the results."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from local.addresses import choose_addresses
from local.errors import StackError
from local.folder import StackFolder, check_store
from local.options import StackOptions
from local.pubsub.emulator import NOISE, emulator_argv, emulator_command, emulator_lacks
from local.pubsub.gcs_server import BUCKET, gcs_argv, gcs_binary, gcs_lacks
from local.pubsub.topology import make_topology
from local.service import Role, Service
from local.services import WORKERS, Layout
from pipeline.config.pubsub_settings import is_pubsub
from pipeline.config.run_file import find_run_file
from pipeline.config.settings import Settings
from pipeline.protocol.clock import utc_now
from results.stores.open import open_store
from results.targets import PUSHED_TARGETS

POLL_S: Final = 0.05
SETTLING_S: Final = 1.0
"""Whoever publishes while topic and subscriptions are being made misses those that come after: what was
published until so long after is published again."""


class PubSubBackend:
    """See Backend; raises what `open_backend` says. The emulator keeps all it holds in memory alone."""

    losers = frozenset({Role.BROKER})
    recovery_delay_s = 0.0
    recovery_every_s: float | None = None

    def __init__(self, options: StackOptions, settings: Settings, folder: StackFolder) -> None:
        if options.celery_slots:
            raise StackError(
                "target celery cannot be reached through Pub/Sub: leave out --celery-workers, or use"
                " --broker celery"
            )
        own_store = not settings.store_url
        self._command = emulator_command()
        self._gcs_binary = gcs_binary() if own_store else ""
        self._gcs_folder = folder.gcs
        self.addresses = choose_addresses(options, own_store=own_store)
        if own_store:
            self._gcs_folder.mkdir(exist_ok=True)
            self.store_folder = str(self._gcs_folder / BUCKET)
            self.store_url = f"gs://{BUCKET}?endpoint={self.addresses.gcs_url}"
        else:
            self.store_folder = ""
            self.store_url = settings.store_url
            check_store(self.store_url, options.folder)
        places = {"store_url": self.store_url, "broker_url": self.addresses.broker_url}
        self._settings = settings.model_copy(update=places)
        self._since = None if own_store or _goes_on(options.folder, self.store_url) else utc_now()
        self._until = utc_now()

    def stages(self, layout: Layout) -> list[list[Service]]:
        """See Backend."""
        # With one slot the second of the two pushes in flight waits for it, as it does at an instance of
        # Cloud Run with concurrency 1. With more it may have met the wrong process.
        waits = {"DIPTYCH_SLOT_WAIT_S": str(layout.settings.deadline_s)}
        options = layout.options
        workers = [
            WORKERS[target](layout, **(waits if options.slots(target) == 1 else {}))
            for target in PUSHED_TARGETS
        ]
        servers = [self._emulator(layout.work_folder)]
        if self._gcs_binary:
            servers.append(self._gcs(layout.work_folder))
        return [servers, workers]

    def recover(self, closed: threading.Event) -> Iterator[str]:
        """See Backend: make what an emulator that was started again lacks, then publish what it has lost."""
        while not self._make_topology():
            if closed.wait(POLL_S):
                return
        if closed.wait(max(0.0, (self._until - utc_now()).total_seconds())):
            return
        from local.pubsub.recovery import Window, republish_lost

        store = open_store(self.store_url)
        yield from republish_lost(store, self._settings, Window(self._since, self._until))

    def _emulator(self, work: Path) -> Service:
        port = self.addresses.pubsub

        def lacks(_: int) -> str:
            lack = emulator_lacks(port)
            if not lack and not self._make_topology():
                lack = "it makes no topics"
            return lack

        return Service(
            name="pubsub",
            role=Role.BROKER,
            argv=emulator_argv(self._command, work, port),
            ready=lacks,
            cwd=work,
            noise=NOISE,
        )

    def _gcs(self, work: Path) -> Service:
        port = self.addresses.gcs
        return Service(
            name="gcs",
            role=Role.STORE,
            argv=gcs_argv(self._gcs_binary, self._gcs_folder, port),
            ready=lambda _: gcs_lacks(port),
            cwd=work,
        )

    def _make_topology(self) -> bool:
        """Make topics and subscriptions that are not there; return False if the emulator does not answer."""
        try:
            if make_topology(self.addresses):
                self._until = utc_now() + timedelta(seconds=SETTLING_S)
        except OSError:
            return False
        return True


def _goes_on(folder: Path, store_url: str) -> bool:
    """True if the last stack in this folder was one like this, on the same store: its jobs are ours."""
    last = find_run_file(folder)
    return last is not None and is_pubsub(last.broker_url) and last.store_url == store_url
