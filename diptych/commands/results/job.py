"""What every `diptych results` command begins with: store, manifest and chosen targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diptych.commands.options import checked_job, settings_of, store_of
from producer.text import listed

if TYPE_CHECKING:
    from results.documents import Manifest
    from results.stores.base import Store
    from results.targets import Target


def open_job(job_id: str, store_url: str | None) -> tuple[Store, Manifest]:
    """Open the store and read the job's manifest; raises what a user can act on."""
    from results.job_state import load_manifest

    store = store_of(settings_of(store_url=store_url))
    return store, load_manifest(store, checked_job(job_id))


def chosen_targets(manifest: Manifest, chosen: tuple[str, ...]) -> tuple[Target, ...]:
    """The targets to show: those chosen, in the job's order, or all of the job's. Raises RequestError."""
    from pipeline.errors import RequestError

    strangers = [target for target in chosen if target not in manifest.targets]
    if strangers:
        raise RequestError(
            f"job {manifest.job_id} has no target {strangers[0]}: it was asked of {listed(manifest.targets)}"
        )
    return tuple(target for target in manifest.targets if not chosen or target in chosen)
