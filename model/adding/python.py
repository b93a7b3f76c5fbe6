"""Adding a user's own engine: its factory is imported and called once, so that a mistake shows now."""

from __future__ import annotations

from typing import Final

from model.adding.request import AddRequest
from model.descriptor import Descriptor
from model.engines.python import hash_module, make_engine
from model.errors import FormError

NOMINAL_S: Final = 1.0
"""Time of one image until `model calibrate` has measured it."""


def describe_python(source: str, request: AddRequest) -> Descriptor:
    """Try and describe a factory.

    Args:
        source: "package.module:factory".
        request: what else the operator says; every option goes to the factory.
    Raises:
        FormError: a wrong option, or a resolution that is not the engine's.
        EngineError: the factory cannot be imported, fails, or returns no Engine.
    """
    options = request.scalars()
    files = hash_module(source)
    engine = make_engine(source, options, precision="auto", threads=1)
    if request.resolution not in (None, engine.resolution):
        raise FormError(f"{source} generates {engine.resolution} px, not {request.resolution}")
    return Descriptor(
        family="python",
        source=source,
        local=False,
        resolution=engine.resolution,
        takes=None,
        options=options,
        files=files,
        licence=request.licence,
        training_data=request.training_data,
        seconds_per_image=request.seconds_per_image or NOMINAL_S,
    )
