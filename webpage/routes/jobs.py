"""`/api/…`: what the form needs, submitting, listing, following, comparing and cancelling jobs."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import RequestError
from results.documents import Manifest, Params, Precision, Target
from results.job_state import load_manifest
from results.targets import DEFAULT_TARGETS
from webpage.app_state import page
from webpage.submission import form_options, submit_form
from webpage.views.comparison import comparison_view, trials_view
from webpage.views.image_detail import submit_command
from webpage.views.job_index import JobFilter, job_version

api_jobs = Blueprint("api_jobs", __name__, url_prefix="/api")

MAX_LISTED: Final = 200
_MAX_TEXT: Final = 200


class JobForm(BaseModel):
    """What the form sends. The producer checks what the numbers mean; here, that they are numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int = Field(strict=True)
    model: str = Field(max_length=100)
    # As text: beyond 2**53 JavaScript's numbers are not whole.
    seed: str | None = Field(None, pattern=r"^[0-9]{1,19}$")
    targets: tuple[Target, ...] = DEFAULT_TARGETS
    precision: Precision = "auto"
    images_per_task: int | None = Field(None, strict=True)
    params: Params = Field(default_factory=dict, max_length=32)
    job_id: str | None = Field(None, max_length=100)


@api_jobs.get("/offer")
def get_form_options() -> Response:
    """Models, targets, and whether jobs can be submitted at all."""
    return jsonify(form_options(page()))


@api_jobs.post("/jobs")
def post_job() -> tuple[Response, int]:
    """Submit a job, as `diptych submit` does."""
    try:
        form = JobForm.model_validate_json(request.get_data())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "request"
        raise RequestError(f"{field}: {first['msg']}") from error
    return jsonify(submit_form(page(), form)), 201


@api_jobs.get("/jobs")
def list_jobs() -> Response:
    """The jobs, the latest first; filtered by text, model, seed, target, outcome, and day of submission."""
    wanted = JobFilter(
        text=_text("text"),
        model=_text("model"),
        seed=_whole("seed"),
        target=_text("target"),
        outcome=_text("outcome"),
        first_day=_day("from"),
        last_day=_day("to"),
    )
    limit = min(_whole("limit") or 50, MAX_LISTED)
    return jsonify(page().jobs.find(wanted, offset=_whole("offset") or 0, limit=limit))


@api_jobs.get("/jobs/<job_id>")
def get_job(job_id: str) -> Response:
    """What was asked for. It never changes; how far it is comes as events."""
    return jsonify(_job_view(load_manifest(page().store, job_id)))


@api_jobs.get("/jobs/<job_id>/events")
def get_events(job_id: str) -> Response:
    """The job's news, as server-sent events, from `Last-Event-ID` on."""
    last = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    stream = page().event_streams.open(job_id, last)
    response = Response(stream, mimetype="text/event-stream")  # closes the stream when it is done
    response.headers["X-Accel-Buffering"] = "no"  # or nginx would collect them
    return response


@api_jobs.get("/jobs/<job_id>/comparison")
def get_comparison(job_id: str) -> Response:
    """The ratios between the job's targets, with their intervals."""
    return jsonify(comparison_view(page(), load_manifest(page().store, job_id)))


@api_jobs.get("/jobs/<job_id>/trials")
def get_trials(job_id: str) -> Response:
    """How many jobs are trials of one another with this one; with `?compare=1`, what they say together."""
    manifest = load_manifest(page().store, job_id)
    return jsonify(trials_view(page(), manifest, with_comparison=request.args.get("compare") == "1"))


@api_jobs.post("/jobs/<job_id>/cancel")
def post_cancel(job_id: str) -> Response:
    """End a job for good, as `diptych cancel` does."""
    from producer.republish import cancel

    return jsonify({"job_id": job_id, "cancelled_now": cancel(page().store, job_id)})


def _job_view(manifest: Manifest) -> dict[str, Any]:
    request_view = manifest.request()
    return {
        **request_view,
        "seed": str(manifest.seed),
        "job_id": manifest.job_id,
        "resolution": manifest.resolution,
        "images_per_task": manifest.images_per_task,
        "tasks": manifest.task_count,
        "submitted_at": manifest.submitted_at.isoformat(),
        "submitted_with": manifest.submitted_with,
        "version": job_version(manifest),
        "store": page().store.url,
        "command": submit_command(manifest),
    }


def _text(name: str) -> str | None:
    value = request.args.get(name, "").strip()
    if len(value) > _MAX_TEXT:
        raise RequestError(f"{name} is over {_MAX_TEXT} characters")
    return value or None


def _whole(name: str) -> int | None:
    value = _text(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 20):
        raise RequestError(f"{name} must be a whole number, not {value[:40]!r}")
    return int(value)


def _day(name: str) -> date | None:
    value = _text(name)
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError as error:
        raise RequestError(f"{name} must be a date such as 2026-11-25, not {value!r}") from error
