"""The stack without a cloud: Celery on an embedded Valkey brings the tasks, a folder keeps the results."""

from __future__ import annotations

from local.addresses import choose_addresses
from local.celery.broker import give_back_held
from local.celery.recovery import DELAY_S, EVERY_S, BrokerRecovery
from local.celery.services import broker, deliverers
from local.folder import StackFolder, check_store
from local.options import StackOptions
from local.service import Role, Service
from local.services import WORKERS, Layout
from pipeline.config.settings import Settings, default_store_url
from results.targets import PUSHED_TARGETS


class CeleryBackend:
    """See Backend; raises what `open_backend` says."""

    store_folder = ""
    losers = frozenset({Role.BROKER, Role.DELIVERER})
    recovery_delay_s = DELAY_S
    recovery_every_s: float | None = EVERY_S

    def __init__(self, options: StackOptions, settings: Settings, folder: StackFolder) -> None:
        self.store_url = settings.store_url or default_store_url(options.folder)
        check_store(self.store_url, options.folder)
        self.addresses = choose_addresses(options)
        self._has_past = any(folder.broker.iterdir())
        self._broker_folder = folder.broker
        places = {"store_url": self.store_url, "broker_url": self.addresses.broker_url}
        self._settings = settings.model_copy(update=places)
        self.recover = BrokerRecovery(self._settings)

    def stages(self, layout: Layout) -> list[list[Service]]:
        """See Backend."""
        workers = [WORKERS[target](layout) for target in PUSHED_TARGETS]
        return [[broker(layout, self._broker_folder, self._take_over)], workers, deliverers(layout)]

    def _take_over(self) -> None:
        if self._has_past:
            give_back_held(self._settings)
