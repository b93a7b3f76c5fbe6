"""One job on a running stack, from its submission to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from local.pubsub.backend import SETTLING_S
from local.stack import Stack
from model.registry import Registry
from pipeline.config.pubsub_settings import is_pubsub
from pipeline.config.settings import Settings, load_settings
from producer.open_publisher import open_publisher
from producer.republish import resume
from producer.submit import JobRequest, draft_job, submit
from results.documents import Manifest
from results.job_state import JobState
from results.stores.base import Store
from results.stores.open import open_store


class JobRun:
    """Submits a job and follows it.

    Args:
        stack: a running one.
        request: what to ask for.
        model_dir: where its model is, beside the shipped ones.
    """

    def __init__(self, stack: Stack, request: JobRequest, model_dir: Path | None = None) -> None:
        self._stack = stack
        self._request = request
        self._settings: Settings = load_settings(
            store_url=stack.store_url, broker_url=stack.addresses.broker_url, model_dir=model_dir
        )
        self.store: Store = open_store(stack.store_url)

    def submit(self) -> Manifest:
        """Plan, write and publish the job.

        On the Pub/Sub emulator it waits first: a stack publishes again what came while topics were being
        made, which would be counted as work done twice.
        """
        if is_pubsub(self._settings.broker_url):
            time.sleep(SETTLING_S)
        draft = draft_job(self._request, Registry(self._settings.model_dir))
        with closing(open_publisher(self._settings)) as publisher:
            return submit(self.store, publisher, draft).manifest

    def resume(self, job_id: str) -> None:
        """Publish what of a job no broker has acknowledged."""
        with closing(open_publisher(self._settings)) as publisher:
            resume(self.store, publisher, job_id)

    def follow(
        self,
        manifest: Manifest,
        *,
        limit_s: float,
        poll_s: float = 0.1,
        seen: Callable[[int], None] = lambda _: None,
    ) -> JobState:
        """Look at the job until it has ended, the stack has, or the time is over; return the last look.

        Args:
            manifest: the job's.
            limit_s: how long.
            poll_s: pause between two looks.
            seen: told at each look how many tasks are recorded, over all targets.
        """
        state = JobState(self.store, manifest)
        deadline = time.monotonic() + limit_s
        while True:
            state.refresh()
            seen(sum(part.counts().done for part in state.targets.values()))
            if state.status.ended or self._stack.ended.is_set() or time.monotonic() > deadline:
                return state
            time.sleep(poll_s)
