"""The forms that `diptych model add` takes: `diffusers:…`, `onnx:…`, `python:…`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, cast

from model.descriptor import Family
from model.errors import FormError

FORMS: Final = "diffusers:FOLDER, diffusers:OWNER/NAME[@REVISION], onnx:FILE or python:PACKAGE.MODULE:FACTORY"
MAX_LENGTH: Final = 4096
_FACTORY: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class Form:
    """A form, taken apart.

    Args:
        family: what comes before the first colon.
        source: what comes after it.
    """

    family: Family
    source: str


def parse_form(text: str) -> Form:
    """Take a form apart.

    Raises:
        FormError: it is none; the text lists those there are.
    """
    family, colon, source = text.partition(":")
    shown = repr(text if len(text) <= 80 else text[:77] + "...")
    if not colon or family not in ("diffusers", "onnx", "python"):
        raise FormError(f"{shown} is no form of a model: give {FORMS}")
    if not source.strip() or len(source) > MAX_LENGTH or "\0" in source:
        raise FormError(f"{shown}: nothing usable after {family}: ; give {FORMS}")
    if _URL.match(source):
        raise FormError(f"{shown}: a URL; download the model first, then give its {_place(family)}")
    if family == "python" and not _FACTORY.fullmatch(source):
        raise FormError(f"{shown}: a factory is named python:PACKAGE.MODULE:FACTORY")
    return Form(cast("Literal['diffusers', 'onnx', 'python']", family), source)


def _place(family: str) -> str:
    return {"diffusers": "folder", "onnx": "file"}.get(family, "module")
