"""`diptych web`. What it needs is imported when it runs."""

from __future__ import annotations

import ipaddress
from typing import Final

import click

from diptych.commands.options import broker_option, number_option, settings_of, store_of, store_option

PORT: Final = 7435


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@number_option("--port", 1, 65535, PORT, "Port to listen on.")
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Also accept requests for this host name, e.g. behind a proxy; repeatable.",
)
@store_option
@broker_option
def web(
    host: str, port: int, allowed_hosts: tuple[str, ...], store_url: str | None, broker_url: str | None
) -> None:
    """Serve the web page: submit jobs, watch both panels fill, browse the results.

    The store may be a folder or a bucket, so results in the cloud can be browsed from a laptop. Without a
    broker the page is read-only. It has no login: anyone who can reach its address can use it, which is this
    machine alone unless --host is given.

    \b
    diptych web
    diptych web --store gs://my-bucket/diptych
    """
    from functools import partial

    from pipeline.telemetry.logs import configure_logging
    from webpage.app import create_app
    from webpage.server import Server, check_address

    read_settings = partial(settings_of, store_url=store_url, broker_url=broker_url)
    settings = read_settings()
    store = store_of(settings, may_be_new=bool(settings.broker_url))
    check_address(host, port)
    configure_logging(settings.model_copy(update={"log_format": "text"}))
    click.echo(f"Serving {store.url} at {_address(host, port)} (Ctrl-C stops it)")
    if not _is_loopback(host):
        click.echo(
            "warning: the page has no login: anyone who reaches this address can browse and submit jobs",
            err=True,
        )
    Server(partial(create_app, read_settings, allowed_hosts=allowed_hosts), host, port).run()


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
