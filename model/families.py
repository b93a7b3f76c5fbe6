"""Model families: what params each takes. Asked at submission and again at the worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from model.errors import ParamsError, UnknownModelError

ParamValue = str | int | float | bool | None
Params = dict[str, ParamValue]


def _no_params(params: Mapping[str, ParamValue]) -> Params:
    # A Progressive GAN normalises its latents, so that scaling ("truncating") them would change nothing.
    if params:
        names = ", ".join(sorted(str(name)[:64] for name in params))
        raise ParamsError(f"a Progressive GAN takes no params, but got {names}")
    return {}


FAMILIES: Final[Mapping[str, Callable[[Mapping[str, ParamValue]], Params]]] = {"pgan": _no_params}


def validate_params(family: str, params: Mapping[str, ParamValue]) -> Params:
    """Check a job's params.

    Args:
        family: the model's family, as `ModelInfo.family` says.
        params: what the user gave.
    Returns:
        The params in their normal form: equal requests give equal ones.
    Raises:
        ParamsError: a param that the family does not take, or a value out of range.
        UnknownModelError: no such family here.
    """
    if family not in FAMILIES:
        raise UnknownModelError(f"unknown model family {family}: this version knows {', '.join(FAMILIES)}")
    return FAMILIES[family](params)
