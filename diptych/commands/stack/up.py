"""`diptych up`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from diptych.commands.options import default_option, number_option, url_option
from diptych.commands.stack.program import program
from producer.text import counted
from results.targets import PUSHED_TARGETS

if TYPE_CHECKING:
    from local.stack import Stack

PORT_BROKER: Final = 7430
PORT_CONTAINER: Final = 7431
PORT_FUNCTION: Final = 7432
PORT_PUBSUB: Final = 7433
PORT_GCS: Final = 7434
PORT_PAGE: Final = 7435

Command = TypeVar("Command", bound=Callable[..., Any])

_SLOTS = click.IntRange(1, 64)


def _port_option(service: str, default: int, name: str = "") -> Callable[[Command], Command]:
    return number_option(
        f"--port-{service}", 0, 65535, default, f"Port of the {name or service}; 0: any free one."
    )


stack_broker_option = default_option(
    "--broker",
    click.Choice(["celery", "pubsub"]),
    "celery",
    "Broker of the tasks. pubsub: Google's emulator (needs Java), with results in an emulated bucket.",
)


@click.command()
@stack_broker_option
@click.option(
    "--container-slots", type=_SLOTS, help="Tasks generated concurrently.  [default: half the usable CPUs]"
)
@click.option(
    "--function-slots", type=_SLOTS, help="Tasks generated concurrently.  [default: half the usable CPUs]"
)
@number_option("--celery-workers celery_slots", 0, 64, 0, "Worker processes of a third target, `celery`.")
@url_option("--store", "file:///path or gs://bucket/path  [default: .diptych/results]")
@_port_option("broker", PORT_BROKER, "Celery broker")
@_port_option("container", PORT_CONTAINER)
@_port_option("function", PORT_FUNCTION)
@_port_option("pubsub", PORT_PUBSUB, "Pub/Sub emulator")
@_port_option("gcs", PORT_GCS, "storage server")
@_port_option("page", PORT_PAGE)
@click.option("--page/--no-page", default=True, show_default=True, help="Serve the web page.")
def up(store_url: str | None, container_slots: int | None, function_slots: int | None, **given: Any) -> None:
    """Run the whole stack on this machine, until Ctrl-C.

    Starts a broker, the container worker, the function worker, their deliverers and the web page. Results,
    log and broker data are in `.diptych/`; other commands find the stack from this folder or a subfolder.

    With --broker pubsub, tasks are delivered by Google's Pub/Sub emulator and results go to a bucket of
    fake-gcs-server: the same messages, pushes and requests as in the cloud.

    \b
    diptych up --container-slots 2 --function-slots 2
    diptych up --broker pubsub
    """
    from local.options import StackOptions, default_slots
    from local.stack import Stack

    options = StackOptions(
        folder=Path.cwd(),
        store_url=store_url or "",
        container_slots=container_slots or default_slots(),
        function_slots=function_slots or default_slots(),
        **given,
    )
    stack = Stack(options, sys.stdout)

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the signal handler's signature)
        stack.stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    stack.run(lambda: click.echo(banner(stack)))


def banner(stack: Stack) -> str:
    """The addresses and the next command, printed once the stack is ready."""
    options, addresses = stack.options, stack.addresses
    workers = ", ".join(
        f"{target}: {counted(options.slots(target), 'slot')} at {addresses.worker_url(target)}"
        for target in PUSHED_TARGETS
    )
    celery = f", celery: {options.celery_slots} processes" if options.celery_slots else ""
    topic = [f"  tasks    {addresses.broker_url}"] if addresses.pubsub else []
    return "\n".join(
        [
            "",
            f"Ready. {workers}{celery}",
            *([f"  page     {addresses.page_url}"] if addresses.page else []),
            *topic,
            f"  results  {stack.store_url}",
            *([f"           {stack.store_folder}"] if stack.store_folder else []),
            f"  log      {stack.log_file}",
            "Next, from another terminal in this folder:",
            f"  {program()} submit -n 64 --watch",
            "Ctrl-C stops the stack; results and waiting tasks are kept.",
            "",
        ]
    )
