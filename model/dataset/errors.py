"""Errors of the faces that are rendered here."""

from __future__ import annotations

from model.errors import ModelError


class FacesError(ModelError):
    """Faces cannot be rendered or written as asked."""

    code = "faces_error"


class AssetsError(FacesError):
    """The 3D data or a library that the renderer needs is not installed."""

    code = "faces_assets_missing"
