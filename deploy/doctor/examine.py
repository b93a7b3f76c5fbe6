"""The checks of a local stack and of a deployment, in order."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.deployment import Deployment
from deploy.doctor.check import Check, skipped
from deploy.doctor.cloud_plan import learn_checks, step_checks
from deploy.doctor.cloud_store import expiry_check
from deploy.doctor.cloud_workers import worker_checks
from deploy.doctor.local_stack import delivery_deadline_s, stack_checks
from deploy.doctor.model import model_checks, task_time_checks
from deploy.doctor.store import STORE, store_checks
from deploy.gcloud import Runner
from pipeline.config.pubsub_settings import ACK_DEADLINE_S
from pipeline.config.run_file import RunFile
from pipeline.config.settings import Settings
from results.stores.base import Store
from results.stores.open import open_store
from results.targets import PUSHED_TARGETS, TARGETS, Target


def examine_stack(run_file: RunFile | None, settings: Settings, model: str) -> Iterator[Check]:
    """Check the stack on this machine.

    Args:
        run_file: the stack's run file, or None.
        settings: with the store from the run file.
        model: name of the model that jobs use.
    """
    yield from stack_checks(run_file, settings)
    served = tuple(target for target in TARGETS if run_file and target in run_file.targets)
    yield from _store_and_model(
        settings.store_url, model, settings, served, delivery_deadline_s(run_file, settings)
    )


def examine_cloud(runner: Runner, deployment: Deployment, settings: Settings, model: str) -> Iterator[Check]:
    """Check a deployment. Nothing is changed.

    Args:
        runner: runs gcloud.
        deployment: the deployment; its sizes do not matter.
        settings: with the folder of models.
        model: name of the model that jobs use.
    """
    yield from cloud_checks(runner, deployment)
    if "PROJECT_NUMBER" in runner.variables:
        yield from _store_and_model(deployment.store_url, model, settings, PUSHED_TARGETS, ACK_DEADLINE_S)


def cloud_checks(runner: Runner, deployment: Deployment) -> Iterator[Check]:
    """The checks of a deployment that use gcloud."""
    yield from learn_checks(runner, deployment)
    if "PROJECT_NUMBER" not in runner.variables:
        yield skipped("everything else", "the project cannot be read")
        return
    yield from step_checks(runner, deployment)
    yield from worker_checks(runner, deployment)
    yield expiry_check(runner, deployment)


def _store_and_model(
    url: str, model: str, settings: Settings, targets: tuple[Target, ...], deadline_s: float
) -> Iterator[Check]:
    usable = False
    for check in store_checks(url):
        usable = usable or (check.name == STORE and check.status == "ok")
        yield check
    store: Store | None = open_store(url) if usable else None
    yield from model_checks(model, settings, store)
    yield from task_time_checks(model, settings, store, targets, deadline_s)
