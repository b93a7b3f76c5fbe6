"""The root command. Sub-commands are imported when they run, so that `diptych --help` starts at once."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import click

from diptych import __version__

OUR_PACKAGES: Final = frozenset(
    (
        "bench",
        "deploy",
        "diptych",
        "local",
        "model",
        "pipeline",
        "producer",
        "results",
        "webpage",
        "worker_celery",
        "worker_container",
        "worker_function",
    )
)
USAGE_EXIT: Final = 2
INTERRUPTED_EXIT: Final = 130  # 128 + SIGINT, as shells say


@dataclass(frozen=True, slots=True)
class Entry:
    """One sub-command: where it is, and what the list of commands says of it."""

    module: str
    attribute: str
    short_help: str


COMMANDS: Final = {
    "up": Entry("local.cli", "up", "Run the whole stack on this machine."),
    "demo": Entry("local.cli", "demo", "Run the main job once, from nothing to a comparison."),
    "submit": Entry("producer.cli", "submit", "Ask for N images."),
    "status": Entry("producer.cli", "status", "Say how far a job is."),
    "watch": Entry("producer.cli", "watch", "Follow a job to its end."),
    "jobs": Entry("producer.cli", "jobs", "List the jobs in the store."),
    "cancel": Entry("producer.cli", "cancel", "End a job for good."),
    "resume": Entry("producer.cli", "resume", "Publish what was never published, or is stalled."),
    "retry": Entry("producer.cli", "retry", "Publish failed and dead-lettered tasks again."),
    "dlq": Entry("producer.cli_dlq", "dlq", "Look at dead-lettered tasks, and send them again."),
    "web": Entry("webpage.cli", "web", "Serve the page: ask, watch, browse."),
    "results": Entry("diptych.commands.results", "results", "Look at a job's images and records."),
    "model": Entry("diptych.commands.model", "model", "List, check, train and move models."),
    "bench": Entry("bench.cli", "bench", "Measure the targets under load, and side by side."),
    "deploy": Entry("deploy.cli", "deploy", "Put both targets on Google Cloud."),
    "destroy": Entry("deploy.cli", "destroy", "Take a deployment away."),
    "doctor": Entry("deploy.doctor_cli", "doctor", "Check the setup, and say what mends it."),
}


def load_command(name: str) -> click.Command:
    """Import a sub-command.

    Args:
        name: a key of COMMANDS.
    """
    entry = COMMANDS[name]
    command: click.Command = getattr(importlib.import_module(entry.module), entry.attribute)
    return command


class RootGroup(click.Group):
    """A group that knows its sub-commands by name and imports only the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """Return the names in the order of the table: the order of use."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the sub-command, or return None if there is none of that name."""
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from the table: importing them all would take seconds."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.short_help) for name, entry in COMMANDS.items()])

    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run the command line and exit; see `run_and_exit` for the exit codes."""
        options["standalone_mode"] = False
        parent = super().main
        run_and_exit(lambda: parent(*args, **options))


@click.command(cls=RootGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="diptych", message="%(prog)s %(version)s")
def main() -> None:
    """Make a batch of images, painted twice: by a container and by a serverless function.

    \b
    Start here:
      diptych up                       the stack, in one terminal
      diptych submit -n 64 --watch     a job, from another
    """


def submit_job() -> NoReturn:
    """`submit-job`: `diptych submit` under its own name."""
    run_and_exit(lambda: load_command("submit").main(prog_name="submit-job", standalone_mode=False))


def run_and_exit(call: Callable[[], Any]) -> NoReturn:
    """Run a command and end the process: one line on stderr for an error, never a traceback.

    Exit codes: what the command set (0 if nothing), 1 for an error, 2 for wrong usage, 130 for Ctrl-C.
    `DIPTYCH_TRACEBACK=1` adds the traceback of an error that should not have happened.
    """
    try:
        code = call()
        sys.stdout.flush()
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "diptych"
        _complain(f"{error.format_message()} (see `{command} --help`)")
        sys.exit(USAGE_EXIT)
    except click.ClickException as error:
        _complain(error.format_message())
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED_EXIT)
    except BrokenPipeError:
        # The reader (`| head`) has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 (the last line of defence: users get a line, not a traceback)
        _complain(_describe(error))
        if os.environ.get("DIPTYCH_TRACEBACK"):
            traceback.print_exception(error)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _describe(error: Exception) -> str:
    """One line for an error. Our own classes, and the operating system's, already say it well."""
    if isinstance(error, OSError) and error.strerror and error.filename is None:
        return f"cannot read or write: {error.strerror}"  # such as standard output onto a full disk
    if type(error).__module__.partition(".")[0] in OUR_PACKAGES or isinstance(error, OSError):
        return str(error)
    return (
        f"something unexpected happened, please report it ({type(error).__name__}: {error});"
        " DIPTYCH_TRACEBACK=1 shows where"
    )


def _complain(text: str) -> None:
    click.echo(f"error: {' '.join(text.split())}", err=True)
