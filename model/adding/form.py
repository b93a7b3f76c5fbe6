"""The forms that `diptych model add` accepts: `diffusers:…`, `onnx:…`, `python:…`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, cast, get_args

from model.descriptor import Family
from model.errors import FormError, quoted

FORMS: Final = "diffusers:FOLDER, diffusers:OWNER/NAME[@REVISION], onnx:FILE or python:PACKAGE.MODULE:FACTORY"
MAX_LENGTH: Final = 4096
_FACTORY: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class Form:
    """A parsed form.

    Args:
        family: the part before the first colon.
        source: the part after it.
    """

    family: Family
    source: str


def parse_form(text: str) -> Form:
    """Parse a form.

    Raises:
        FormError: it is invalid; the message lists the valid ones.
    """
    family, colon, source = text.partition(":")
    shown = quoted(text)
    if not colon or family not in get_args(Family):
        raise FormError(f"{shown} is not a valid form: give {FORMS}")
    if not source.strip() or len(source) > MAX_LENGTH or "\0" in source:
        raise FormError(f"{shown}: invalid after {family}:, give {FORMS}")
    if _URL.match(source):
        raise FormError(f"{shown}: is a URL; download the model first, then give its {_place(family)}")
    if family == "python" and not _FACTORY.fullmatch(source):
        raise FormError(f"{shown}: write a factory as python:PACKAGE.MODULE:FACTORY")
    return Form(cast("Family", family), source)


def _place(family: str) -> str:
    return {"diffusers": "folder", "onnx": "file"}.get(family, "module")
