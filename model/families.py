"""Model families and the params of each; validated at submission and again at the worker."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Final

from model.errors import ParamsError, UnknownModelError

ParamValue = str | int | float | bool | None
Params = dict[str, ParamValue]

MAX_TEXT: Final = 2000
MAX_STEPS: Final = 1000
MAX_GUIDANCE: Final = 100.0
MAX_SIDE: Final = 2048
SIDE_MULTIPLE: Final = 8
MAX_PARAMS: Final = 32
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def _pgan(params: Mapping[str, ParamValue], takes: Collection[str] | None) -> Params:  # noqa: ARG001
    # A Progressive GAN normalises its latents, so that scaling ("truncating") them would change nothing.
    if params:
        raise ParamsError(f"a Progressive GAN takes no params, but got {_listed(params)}")
    return {}


def _onnx(params: Mapping[str, ParamValue], takes: Collection[str] | None) -> Params:  # noqa: ARG001
    if params:
        raise ParamsError(f"an ONNX generator takes no params, but got {_listed(params)}")
    return {}


def _diffusers(params: Mapping[str, ParamValue], takes: Collection[str] | None) -> Params:
    allowed = [name for name in _DIFFUSERS if takes is None or name in takes]
    unknown = {name: value for name, value in params.items() if name not in allowed}
    if unknown:
        raise ParamsError(f"unknown param {_listed(unknown)}: this model takes {', '.join(allowed)}")
    # None means "not given": the default of the operator or of the pipeline applies.
    checked = {name: _DIFFUSERS[name](name, value) for name, value in params.items() if value is not None}
    if takes is not None and "prompt" in takes and "prompt" not in checked:
        raise ParamsError("this model needs a prompt: give --param prompt='…'")
    if ("height" in checked) != ("width" in checked):
        raise ParamsError("give both height and width, or neither")
    return checked


def _python(params: Mapping[str, ParamValue], takes: Collection[str] | None) -> Params:  # noqa: ARG001
    if len(params) > MAX_PARAMS:
        raise ParamsError(f"{len(params)} params exceed the limit of {MAX_PARAMS}")
    for name, value in params.items():
        if not _NAME.fullmatch(name):
            raise ParamsError(
                f"{_shown(name)} is not a valid param name: use letters, digits and _, at most 64"
            )
        if isinstance(value, str):
            _text(name, value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise ParamsError(f"{name} must be a finite number")
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ParamsError(f"{name} is outside -2**63..2**63-1")
    return dict(params)


def _text(name: str, value: ParamValue) -> str:
    # A prompt such as 1984 is parsed as a number on the command line.
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) > MAX_TEXT:
        raise ParamsError(f"{name} has {len(text):,} characters; the limit is {MAX_TEXT:,}")
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ParamsError(f"{name} is not valid text: it has a NUL or invalid Unicode")
    return text


def _steps(name: str, value: ParamValue) -> int:
    return _whole(name, value, 1, MAX_STEPS)


def _guidance(name: str, value: ParamValue) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_GUIDANCE:
        raise ParamsError(f"{name} must be a number in 0..{MAX_GUIDANCE:g}, not {_shown(value)}")
    return float(value)


def _side(name: str, value: ParamValue) -> int:
    side = _whole(name, value, SIDE_MULTIPLE, MAX_SIDE)
    if side % SIDE_MULTIPLE:
        raise ParamsError(f"{name} must be a multiple of {SIDE_MULTIPLE}, not {side}")
    return side


def _whole(name: str, value: ParamValue, low: int, high: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ParamsError(f"{name} must be an integer in {low}..{high}, not {_shown(value)}")
    return value


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(str(name)[:64] for name in names))


def _shown(value: ParamValue) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


_DIFFUSERS: Final[Mapping[str, Callable[[str, ParamValue], ParamValue]]] = {
    "prompt": _text,
    "negative_prompt": _text,
    "steps": _steps,
    "guidance": _guidance,
    "height": _side,
    "width": _side,
}
FAMILIES: Final[Mapping[str, Callable[[Mapping[str, ParamValue], Collection[str] | None], Params]]] = {
    "pgan": _pgan,
    "diffusers": _diffusers,
    "onnx": _onnx,
    "python": _python,
}


def validate_params(
    family: str, params: Mapping[str, ParamValue], takes: Collection[str] | None = None
) -> Params:
    """Validate a job's params.

    Args:
        family: see `ModelInfo.family`.
        params: as given by the user.
        takes: see `ModelInfo.takes`.
    Returns:
        The params in canonical form.
    Raises:
        ParamsError: an unknown param, a value out of range, or a missing prompt.
        UnknownModelError: this version does not know the family.
    """
    if family not in FAMILIES:
        raise UnknownModelError(f"unknown model family {family}: this version knows {', '.join(FAMILIES)}")
    return FAMILIES[family](params, takes)
