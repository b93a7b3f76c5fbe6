"""The root command. Subcommands are imported when they run, so that `diptych --help` starts fast."""

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
    "up": Entry("stack.up:up", "Run the whole stack on this machine."),
    "demo": Entry("stack.demo:demo", "Run a demo: start a stack, generate, compare."),
    "submit": Entry("jobs.submit:submit", "Submit a job: N images from each target."),
    "status": Entry("jobs.status:status", "Show a job's progress."),
    "watch": Entry("jobs.watch:watch", "Watch a job until it ends."),
    "jobs": Entry("jobs.jobs:jobs", "List the jobs in the store."),
    "cancel": Entry("jobs.cancel:cancel", "Cancel a job permanently."),
    "resume": Entry("jobs.resume:resume", "Publish tasks that were never published, or stalled."),
    "retry": Entry("jobs.retry:retry", "Publish failed and dead-lettered tasks again."),
    "dlq": Entry("jobs.dlq:dlq", "Inspect and redrive dead-lettered tasks."),
    "web": Entry("stack.web:web", "Serve the web page: submit, watch, browse."),
    "results": Entry("results.group:results", "Browse, compare and export results."),
    "model": Entry("model.group:model", "List, train, measure and register models."),
    "bench": Entry("bench.commands:bench", "Measure and compare the targets under load."),
    "deploy": Entry("cloud.deploy:deploy", "Deploy both targets to Google Cloud."),
    "destroy": Entry("cloud.deploy:destroy", "Remove a deployment."),
    "doctor": Entry("cloud.doctor:doctor", "Check the setup and show how to repair it."),
}
HELP_OPTIONS: Final = ["-h", "--help"]
"""Set on the outermost command only: click passes them down to all others."""


class RootGroup(LazyGroup):
    """The root group: it also turns errors into exit codes."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run the command line and exit; see `run_and_exit` for the exit codes."""
        options["standalone_mode"] = False
        parent = super().main
        run_and_exit(lambda: parent(*args, **options))


@click.command(cls=RootGroup, entries=COMMANDS, context_settings={"help_option_names": HELP_OPTIONS})
@click.version_option(__version__, prog_name="diptych", message="%(prog)s %(version)s")
def main() -> None:
    """Generate a batch of images twice: in a container and in a serverless function.

    \b
    Getting started:
      diptych up                       run the stack, in one terminal
      diptych submit -n 64 --watch     submit a job, in another
    """


def submit_job() -> NoReturn:
    """Entry point of `submit-job`: `diptych submit` as a program."""
    run_and_exit(
        lambda: (
            COMMANDS["submit"]
            .load()
            .main(prog_name="submit-job", standalone_mode=False, help_option_names=HELP_OPTIONS)
        )
    )


def run_and_exit(call: Callable[[], Any]) -> NoReturn:
    """Run a command and end the process: one line on stderr for an error, never a traceback.

    A group without a command prints its help.

    Exit codes: the one that the command set (default 0), 1 for an error, 2 for wrong usage, 130 for Ctrl-C.
    `DIPTYCH_TRACEBACK=1` adds the traceback of an unexpected error.
    """
    try:
        code = call()
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(USAGE_EXIT)
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
        # The reader (`| head`) has closed the pipe. Python would report it again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 (the last line of defence: users get a line, not a traceback)
        _complain(_describe(error))
        if os.environ.get("DIPTYCH_TRACEBACK"):
            traceback.print_exception(error)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _describe(error: Exception) -> str:
    """One line for an error. Our own errors and the operating system's are clear as they are."""
    if isinstance(error, OSError) and error.strerror and error.filename is None:
        return f"cannot read or write: {error.strerror}"  # such as standard output onto a full disk
    if type(error).__module__.partition(".")[0] in OUR_PACKAGES or isinstance(error, OSError):
        return str(error)
    return (
        f"unexpected error, please report it ({type(error).__name__}: {error});"
        " DIPTYCH_TRACEBACK=1 prints the traceback"
    )


def _complain(text: str) -> None:
    click.echo(f"error: {' '.join(text.split())}", err=True)
