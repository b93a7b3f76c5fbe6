"""Options that name deployed targets, for the commands that take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

cloud_option = click.option("--cloud", is_flag=True, help="Measure what is deployed (docs/benchmark.md).")
owned_option = click.option(
    "--i-own-this-host", "owned", multiple=True, metavar="HOST", help="With --cloud: load may go there."
)
account_option = click.option(
    "--as-account", "account", default="", help="With --cloud: act for this service account."
)
project_option = click.option(
    "--project", default="", help="With --cloud: read instances and billed time of this project."
)
store_option = click.option(
    "--store", "store_url", metavar="URL", help="With --cloud: gs://bucket/prefix [DIPTYCH_STORE_URL]."
)
_FLAGS: Final = {
    "owned": "--i-own-this-host",
    "account": "--as-account",
    "project": "--project",
    "store_url": "--store",
    "container_url": "--container-url",
    "function_url": "--function-url",
    "idle_s": "--idle",
    "burst": "--burst",
}


def check_cloud(given: Mapping[str, Any]) -> None:
    """Refuse what is for --cloud alone without it. Raises click.UsageError."""
    if given["cloud"]:
        return
    for name, flag in _FLAGS.items():
        if given.get(name):
            raise click.UsageError(f"{flag} goes with --cloud")
