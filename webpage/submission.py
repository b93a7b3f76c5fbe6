"""Submitting from the page: the producer's own code, as the command line uses it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from model.errors import ModelError
from model.registry import ModelInfo, Registry
from pipeline.config.settings import Settings
from pipeline.errors import SettingsError
from producer.health.stack_warnings import stack_warnings
from producer.open_publisher import publishing
from producer.submit import JobRequest, draft_job, submit
from results.stores.base import Store
from results.targets import TARGETS
from webpage.job_form import JobForm
from webpage.views.job_index import JobIndex


def form_options(settings: Settings) -> dict[str, Any]:
    """What the form shows: models, targets, and why jobs cannot be submitted, if they cannot."""
    registry = Registry(settings.model_dir)
    models, problems = [], []
    for name in registry.names():
        try:
            models.append(_model_view(registry.get(name)))
        except ModelError as error:
            problems.append(str(error))
    return {
        "models": models,
        "model_problems": problems,
        "default_model": settings.default_model,
        "targets": [*TARGETS],
        "cannot_submit": _obstacle(settings),
    }


def submit_form(settings: Settings, store: Store, jobs: JobIndex, form: JobForm) -> dict[str, Any]:
    """Check the request, write the job, publish its tasks.

    Args:
        settings: of the models and the broker.
        store: where to.
        jobs: the list that the new job will be part of.
        form: the request.
    Raises:
        SettingsError: there is no broker.
        RequestError, ModelError, MessageError: the request cannot be met.
        StoreError: the store cannot be written.
        BrokerError: the broker gave up; the text says how to go on.
    """
    settings.require_broker_url()
    request = JobRequest(
        model=form.model,
        count=form.count,
        targets=form.targets,
        seed=None if form.seed is None else int(form.seed),
        precision=form.precision,
        params=form.params,
        job_id=form.job_id,
        images_per_task=form.images_per_task,
    )
    draft = draft_job(request, Registry(settings.model_dir))
    warnings = stack_warnings(settings, form.targets)
    try:
        done = publishing(settings, lambda publisher: submit(store, publisher, draft))
    finally:
        jobs.renew()  # also a job that was published half-way is there to be listed
    return {"job_id": done.manifest.job_id, "created": done.created, "warnings": warnings}


def _model_view(model: ModelInfo) -> dict[str, Any]:
    known = asdict(model)
    names = ("name", "family", "resolution", "parameters", "licence", "training_data", "seconds_per_image")
    return {**{name: known[name] for name in names}, "takes": model.takes}


def _obstacle(settings: Settings) -> str:
    try:
        settings.require_broker_url()
    except SettingsError as error:
        return str(error)
    return ""
