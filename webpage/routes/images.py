"""Image routes: thumbnails, PNGs, differences, and the details of an image."""

from __future__ import annotations

from typing import Final, cast

from flask import Blueprint, Response, jsonify, redirect, request

from pipeline.errors import RequestError
from results.documents import Manifest
from results.errors import ObjectNotFound
from results.imaging.png import PNG_TYPE, decode
from results.imaging.thumbnails import THUMBNAIL_TYPE, thumbnail
from results.job_state import load_manifest
from results.naming import image_name
from results.targets import TARGETS, Target
from webpage.app_state import current_state
from webpage.views.image_detail import image_detail
from webpage.views.similarity import difference_png

api_images = Blueprint("api_images", __name__)

_FOR_EVER: Final = "private, max-age=31536000, immutable"


@api_images.get("/jobs/<job_id>/<target>/thumbnails/<int:index>.webp")
def get_thumbnail(job_id: str, target: str, index: int) -> Response:
    """A small picture of an image."""
    name = image_name(job_id, target, index)
    version = request.args.get("v", "")
    state = current_state()
    small = state.thumbnails.get_or_make((name, version), lambda: thumbnail(state.store.read(name)))
    return _picture(small, THUMBNAIL_TYPE)


@api_images.get("/jobs/<job_id>/<target>/images/<int:index>.png")
def get_image(job_id: str, target: str, index: int) -> Response:
    """A PNG as it is stored, provenance and all."""
    return _picture(_png(job_id, target, index), PNG_TYPE)


@api_images.get("/jobs/<job_id>/<target>/originals/<int:index>.png")
def get_original(job_id: str, target: str, index: int) -> Response:
    """The same to keep: from the bucket itself, by a link that lives for minutes, if we can sign one."""
    name = image_name(job_id, target, index)
    link = current_state().signer.link(name)
    if link:
        return cast("Response", redirect(link, 302))
    response = _picture(_png(job_id, target, index), PNG_TYPE)
    response.headers["Content-Disposition"] = f'attachment; filename="{job_id}-{target}-{index:08d}.png"'
    return response


@api_images.get("/jobs/<job_id>/differences/<int:index>.png")
def get_difference(job_id: str, index: int) -> Response:
    """Where two targets' pictures of an image differ, made visible."""
    manifest = _manifest(job_id, index)
    first, second = _pair(manifest)
    version = request.args.get("v", "")

    def make() -> bytes:
        return difference_png(decode(_png(job_id, first, index)), decode(_png(job_id, second, index)))

    key = ("difference", job_id, first, second, index, version)
    return _picture(current_state().pngs.get_or_make(key, make), PNG_TYPE)


@api_images.get("/api/jobs/<job_id>/images/<int:index>")
def get_detail(job_id: str, index: int) -> Response:
    """Provenance, times, hashes, and the similarity of the targets' pictures."""
    return jsonify(image_detail(current_state().store, _manifest(job_id, index), index))


def _png(job_id: str, target: str, index: int) -> bytes:
    name = image_name(job_id, target, index)
    state = current_state()
    return state.pngs.get_or_make((name, request.args.get("v", "")), lambda: state.store.read(name))


def _manifest(job_id: str, index: int) -> Manifest:
    manifest = load_manifest(current_state().store, job_id)
    if index >= manifest.count:
        raise ObjectNotFound(f"image {index} of job {job_id}, whose images are 0 to {manifest.count - 1}")
    return manifest


def _pair(manifest: Manifest) -> tuple[Target, Target]:
    """The two targets to set against each other: those asked for, or the job's first two."""
    asked = (request.args.get("a"), request.args.get("b"))
    pair = asked if all(asked) else manifest.targets[:2]
    if len(pair) < 2 or not all(target in TARGETS for target in pair):
        raise RequestError(f"a difference is between two of {', '.join(manifest.targets)}")
    return cast("tuple[Target, Target]", pair)


def _picture(data: bytes, content_type: str) -> Response:
    response = Response(data, mimetype=content_type)
    if request.args.get("v"):
        # The job's version is in the address, and what is stored is never written again.
        response.headers["Cache-Control"] = _FOR_EVER
    return response
