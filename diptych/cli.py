"""The root command. Sub-commands are imported when they run, so that `diptych --help` starts at once."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, Final, NoReturn

import click

from diptych import __version__
from diptych.lazy_group import Entry, LazyGroup

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


COMMANDS: Final = {
    "up": Entry("diptych.commands.stack.up", "up", "Run the whole stack on this machine."),
    "demo": Entry(
        "diptych.commands.stack.demo", "demo", "Run the main job once, from nothing to a comparison."
    ),
    "submit": Entry("diptych.commands.jobs.commands", "submit", "Ask for N images."),
    "status": Entry("diptych.commands.jobs.commands", "status", "Say how far a job is."),
    "watch": Entry("diptych.commands.jobs.commands", "watch", "Follow a job to its end."),
    "jobs": Entry("diptych.commands.jobs.commands", "jobs", "List the jobs in the store."),
    "cancel": Entry("diptych.commands.jobs.commands", "cancel", "End a job for good."),
    "resume": Entry(
        "diptych.commands.jobs.commands", "resume", "Publish what was never published, or is stalled."
    ),
    "retry": Entry(
        "diptych.commands.jobs.commands", "retry", "Publish failed and dead-lettered tasks again."
    ),
    "dlq": Entry("diptych.commands.jobs.dlq", "dlq", "Look at dead-lettered tasks, and send them again."),
    "web": Entry("diptych.commands.stack.web", "web", "Serve the page: ask, watch, browse."),
    "results": Entry("diptych.commands.results.commands", "results", "Look at a job's images and records."),
    "model": Entry("diptych.commands.model.group", "model", "List, check, train and move models."),
    "bench": Entry(
        "diptych.commands.bench.commands", "bench", "Measure the targets under load, and side by side."
    ),
    "deploy": Entry("diptych.commands.cloud.deploy", "deploy", "Put both targets on Google Cloud."),
    "destroy": Entry("diptych.commands.cloud.deploy", "destroy", "Take a deployment away."),
    "doctor": Entry("diptych.commands.cloud.doctor", "doctor", "Check the setup, and say what mends it."),
}


class RootGroup(LazyGroup):
    """The root group: it also turns errors into exit codes."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run the command line and exit; see `run_and_exit` for the exit codes."""
        options["standalone_mode"] = False
        parent = super().main
        run_and_exit(lambda: parent(*args, **options))


@click.command(cls=RootGroup, entries=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="diptych", message="%(prog)s %(version)s")
def main() -> None:
    """Make a batch of images, generated twice: by a container and by a serverless function.

    \b
    Start here:
      diptych up                       the stack, in one terminal
      diptych submit -n 64 --watch     a job, from another
    """


def submit_job() -> NoReturn:
    """`submit-job`: `diptych submit` under its own name."""
    run_and_exit(lambda: COMMANDS["submit"].load().main(prog_name="submit-job", standalone_mode=False))


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
