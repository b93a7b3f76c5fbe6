"""`/api/…`: what the form needs, submitting, listing, following, comparing and cancelling jobs."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from pipeline.errors import RequestError
from results.comparison import metrics
from results.documents import Manifest
from results.job_state import load_manifest
from webpage.app_state import current_state
from webpage.job_form import parse_job_form
from webpage.submission import form_options, submit_form
from webpage.views.comparison import comparison_view, jobs_alike, trials_view
from webpage.views.image_detail import submit_command
from webpage.views.job_index import JobFilter, job_version

api_jobs = Blueprint("api_jobs", __name__, url_prefix="/api")

MAX_LISTED: Final = 200
_MAX_TEXT: Final = 200


@api_jobs.get("/form-options")
def get_form_options() -> Response:
    """Models, targets, and whether jobs can be submitted at all; and the token that a submission carries."""
    state = current_state()
    return jsonify({**form_options(state.settings()), "store": state.store.url, "token": state.token})


@api_jobs.post("/jobs")
def post_job() -> tuple[Response, int]:
    """Submit a job, as `diptych submit` does."""
    form = parse_job_form(request.get_data())
    state = current_state()
    return jsonify(submit_form(state.settings(), state.store, state.jobs, form)), 201


@api_jobs.get("/jobs")
def list_jobs() -> Response:
    """The jobs, the latest first; filtered by text, model, seed, target, outcome, and day of submission."""
    job_filter = JobFilter(
        text=_text("text"),
        model=_text("model"),
        seed=_whole("seed"),
        target=_text("target"),
        outcome=_text("outcome"),
        first_day=_day("from"),
        last_day=_day("to"),
    )
    limit = min(_whole("limit") or 50, MAX_LISTED)
    return jsonify(current_state().jobs.find(job_filter, offset=_whole("offset") or 0, limit=limit))


@api_jobs.get("/jobs/<job_id>")
def get_job(job_id: str) -> Response:
    """What was asked for. It never changes; how far it is comes as events."""
    return jsonify(_job_view(load_manifest(current_state().store, job_id)))


@api_jobs.get("/jobs/<job_id>/events")
def get_events(job_id: str) -> Response:
    """The job's news, as server-sent events, from `Last-Event-ID` on."""
    last = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    stream = current_state().event_streams.open(job_id, last)
    response = Response(stream, mimetype="text/event-stream")  # closes the stream when it is done
    response.headers["X-Accel-Buffering"] = "no"  # or nginx would collect them
    return response


@api_jobs.get("/jobs/<job_id>/comparison")
def get_comparison(job_id: str) -> Response:
    """The ratios between the job's targets, with their intervals."""
    state = current_state()
    return jsonify(comparison_view(state.store, state.comparisons, load_manifest(state.store, job_id)))


@api_jobs.get("/jobs/<job_id>/trials")
def get_trials(job_id: str) -> Response:
    """How many jobs are trials of one another with this one; with `?compare=1`, what they say together."""
    state = current_state()
    alike = jobs_alike(state.jobs, load_manifest(state.store, job_id))
    compared = request.args.get("compare") == "1" and len(alike) > 1
    comparison = trials_view(state.store, state.comparisons, alike) if compared else None
    return jsonify({"count": len(alike), "comparison": comparison})


@api_jobs.post("/jobs/<job_id>/cancel")
def post_cancel(job_id: str) -> Response:
    """Cancel a job permanently, as `diptych cancel` does."""
    from producer.republish import cancel

    return jsonify({"job_id": job_id, "cancelled_now": cancel(current_state().store, job_id)})


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
        "metrics": [metric.described() for metric in metrics.METRICS],
        "store": current_state().store.url,
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
