"""`diptych model calibrate`."""

from __future__ import annotations

from typing import Any

import click

from diptych.commands.model.options import checked_params, engine_options, load, name_argument
from diptych.commands.options import json_option, number_option, params_option, print_json


@click.command()
@name_argument
@number_option("-n --count", 3, 1000, 20, "Number of images to time.")
@params_option
@engine_options
@json_option
def calibrate(
    name: str, count: int, params: tuple[tuple[str, Any], ...], as_json: bool, **engine: Any
) -> None:
    """Measure a model's time per image on this machine; `submit` then sizes tasks by it."""
    import statistics
    import time

    from model.calibration import Calibration, calibration_file, save_calibration
    from model.seeds import image_seed

    checked = checked_params(name, params, engine["model_dir"])
    info, loaded = load(name, **engine)
    loaded.generate([image_seed(0, 0)], checked)  # The first inference still allocates.
    times_s = []
    for index in range(count):
        started_s = time.perf_counter()
        loaded.generate([image_seed(0, index)], checked)
        times_s.append(time.perf_counter() - started_s)
    measured = Calibration(
        digest=info.digest,
        seconds_per_image=statistics.median(times_s),
        engine=loaded.name,
        precision=loaded.precision,
        isa=loaded.isa,
        images=count,
    )
    save_calibration(calibration_file(), measured)
    if as_json:
        from dataclasses import asdict

        return print_json({"name": name, **asdict(measured)})
    return click.echo(
        f"{name}: {measured.seconds_per_image:.4f} s per image"
        f" ({measured.engine} {measured.precision} on {measured.isa}; saved in {calibration_file()})"
    )
