"""`diptych results compare`: the targets of a job, or of many jobs, side by side."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import click

from diptych.commands.options import (
    Parsed,
    checked_job,
    number_option,
    settings_of,
    store_of,
    store_options,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from results.comparison.columns import JobColumns
    from results.stores.base import Store

_PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)%?")
_LEAST_PERCENT: Final = 0.1
_MOST_PERCENT: Final = 100.0
_WILD: Final = frozenset("*?[")


def _percent(text: str) -> float:
    """Such as 5 or 2.5%, between 0.1 and 100, as a share of one."""
    match = _PERCENT.fullmatch(text.strip())
    if not match or not _LEAST_PERCENT <= float(match[1]) <= _MOST_PERCENT:
        raise ValueError(f"{text!r} is no percentage from 0.1 to 100: write 5%, not 0.05")
    return float(match[1]) / 100


jobs_argument = click.argument("names", metavar="JOB...", nargs=-1, required=True)
margin_option = click.option(
    "--margin",
    type=Parsed("percent", _percent),
    default=0.05,
    metavar="PERCENT",
    help="Treat differences up to this as no difference.  [default: 5%]",
)
seed_option = number_option("--seed", 0, 2**63 - 1, 0, "Seed of the resampling.")


@click.command(short_help="Compare the targets of one job or of many.")
@jobs_argument
@margin_option
@seed_option
@store_options
def compare(names: tuple[str, ...], margin: float, seed: int, as_json: bool, store_url: str | None) -> None:
    """Compare the targets' times, CPU, memory and failures; cold and warm tasks apart.

    One job is described. Several jobs with equal requests are trials: from 20 on, each difference gets an
    interval and a verdict. Tasks that found images of an earlier delivery are left out, and so are damaged
    records: the output says how many. Where over 1% of a target's tasks failed, are not done or have no
    sound record, the verdict is inconclusive.

    \b
    diptych results compare my-batch
    diptych results compare 'trial-*' --margin 10%
    """
    from rich.console import Console

    from results.comparison.compare import compare as compare_trials
    from results.comparison.table import comparison_table

    store = store_of(settings_of(store_url=store_url))
    jobs = read_jobs(store, names)
    comparison = compare_trials(store, jobs, margin=margin, seed=seed)
    if as_json:
        click.echo(comparison.model_dump_json())
    elif not any(summary.tasks for summary in comparison.targets):
        click.echo(without_records(jobs))
    else:
        Console().print(comparison_table(comparison))


def read_jobs(store: Store, names: Sequence[str]) -> list[JobColumns]:
    """Read the jobs named, a name with `*`, `?` or `[` in it standing for all that match.

    Raises:
        RequestError: a name cannot be a job's, or a pattern matches none.
        ComparisonError, JobNotFound, DocumentError, StoreError: see `results.comparison.compare.read_trials`.
    """
    from results.comparison.compare import read_trials

    job_ids = [job_id for name in names for job_id in _matching(store, name)]
    with _progress() as on_progress:
        return read_trials(store, job_ids, on_progress=on_progress)


def without_records(jobs: Sequence[JobColumns]) -> str:
    """The message for jobs that have nothing to compare."""
    from results.comparison.format import damage, printable
    from results.comparison.summary import summarise

    names = [job.manifest.job_id for job in jobs]
    targets = jobs[0].targets
    lost = [line for target in targets for line in damage(summarise([job.targets[target] for job in jobs]))]
    if lost:
        who = f"job {names[0]} has" if len(names) == 1 else f"the {len(names)} jobs have"
        return printable(f"{who} no record that can be compared; {'; '.join(lost)}")
    if len(names) == 1:
        return f"job {names[0]} has no records yet: see `diptych status {names[0]}`"
    return f"none of the {len(names)} jobs has records yet: see `diptych jobs`"


def _matching(store: Store, name: str) -> list[str]:
    from pipeline.errors import RequestError

    if not _WILD.intersection(name):
        return [checked_job(name)]
    matches = [job_id for job_id in store.list_folders("jobs/") if fnmatchcase(job_id, name)]
    if not matches:
        raise RequestError(f"no job in {store.url} is named like {name[:80]!r}; `diptych jobs` lists them")
    return matches


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Show the number of records read so far on stderr, if someone watches."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} records read"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as progress:
        bar = progress.add_task("records", total=None)
        yield lambda count: progress.advance(bar, count)
