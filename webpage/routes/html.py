"""HTML routes: one document, the same for every view, and the files that it loads. The rest is JSON."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, make_response, render_template, request

from pipeline.errors import PipelineError
from results.errors import JobNotFound, ResultsError
from results.job_state import load_manifest
from webpage.app_state import current_state
from webpage.routes.assets import assets

html_routes = Blueprint("html", __name__)

_YEAR: Final = "private, max-age=31536000, immutable"


@html_routes.get("/")
@html_routes.get("/jobs")
def home() -> Response:
    """The form, or the list of jobs: the scripts read the address."""
    return _html_page(200)


@html_routes.get("/jobs/<job_id>")
def job(job_id: str) -> Response:
    """A job's view. The status tells even a client without scripts whether there is such a job."""
    try:
        load_manifest(current_state().store, job_id)
    except (JobNotFound, ValueError):
        return _html_page(404)
    except (ResultsError, PipelineError):
        return _html_page(200)  # the scripts will ask again, and say what is wrong
    return _html_page(200)


@html_routes.get("/health/live")
def live() -> Response:
    """This process answers."""
    return Response("ok\n", mimetype="text/plain")


@html_routes.get("/favicon.ico")
def icon() -> Response:
    """For browsers that ask without having been told."""
    return asset(assets().digest, "icon.svg")


@html_routes.get("/assets/<digest>/<path:name>")
def asset(digest: str, name: str) -> Response:
    """One of the page's own files."""
    file = assets().files.get(name)
    if file is None:
        return Response("no such file\n", 404, mimetype="text/plain")
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    response = Response(file.packed if packed else file.content, content_type=file.content_type)
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    if digest == assets().digest:
        response.headers["Cache-Control"] = _YEAR
    return response


def not_found_page() -> Response:
    """For an address that is none of ours."""
    return _html_page(404)


def _html_page(status: int) -> Response:
    html = render_template("page.html", base=f"/assets/{assets().digest}", token=current_state().token)
    return make_response(html, status)
