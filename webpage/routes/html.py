"""The HTML shell, the same for every view, and the files that it loads. The rest is JSON."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, make_response, render_template, request

from pipeline.errors import PipelineError
from results.errors import JobNotFound, ResultsError
from results.job_state import load_manifest
from webpage.app_state import page
from webpage.routes.assets import assets

shell = Blueprint("shell", __name__)

_YEAR: Final = "private, max-age=31536000, immutable"


@shell.get("/")
@shell.get("/jobs")
def home() -> Response:
    """The form, or the list of jobs: the scripts read the address."""
    return _shell(200)


@shell.get("/jobs/<job_id>")
def job(job_id: str) -> Response:
    """A job's view. The status tells even a client without scripts whether there is such a job."""
    try:
        load_manifest(page().store, job_id)
    except (JobNotFound, ValueError):
        return _shell(404)
    except (ResultsError, PipelineError):
        return _shell(200)  # the scripts will ask again, and say what is wrong
    return _shell(200)


@shell.get("/health/live")
def live() -> Response:
    """This process answers."""
    return Response("ok\n", mimetype="text/plain")


@shell.get("/favicon.ico")
def icon() -> Response:
    """For browsers that ask without having been told."""
    return asset(assets().digest, "icon.svg")


@shell.get("/assets/<digest>/<path:name>")
def asset(digest: str, name: str) -> Response:
    """One of the page's own files."""
    found = assets().files.get(name)
    if found is None:
        return Response("no such file\n", 404, mimetype="text/plain")
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    response = Response(found.packed if packed else found.content, content_type=found.content_type)
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    if digest == assets().digest:
        response.headers["Cache-Control"] = _YEAR
    return response


def not_found_shell() -> Response:
    """For an address that is none of ours."""
    return _shell(404)


def _shell(status: int) -> Response:
    html = render_template("page.html", base=f"/assets/{assets().digest}", token=page().token)
    return make_response(html, status)
