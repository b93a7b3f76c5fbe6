"""Register a user's own engine: import and call its factory once, to detect errors early."""

from __future__ import annotations

from typing import Final

from model.adding.request import AddRequest
from model.descriptor import Descriptor
from model.engines.python import hash_module, make_engine
from model.errors import FormError

NOMINAL_S: Final = 1.0
"""Time of one image until `model calibrate` has measured it."""


def describe_python(source: str, request: AddRequest) -> Descriptor:
    """Call and describe a factory.

    Args:
        source: "package.module:factory".
        request: the other options; the factory receives all of them.
    Raises:
        FormError: an invalid option, or a resolution that differs from the engine's.
        EngineError: the factory cannot be imported, fails, or does not return an Engine.
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
