"""`diptych results cost`: what a job has cost, by what its deliveries measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from diptych.commands.jobs.quote_options import free_tier_option, prices_option
from diptych.commands.options import job_argument, store_options, target_option
from diptych.commands.results.job import chosen_targets, open_job
from producer.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.cost.actual import JobCost, TargetCost
    from results.cost.prices import Prices
    from results.targets import Target


@click.command(short_help="Show what a job has cost.")
@job_argument
@target_option
@prices_option
@free_tier_option
@store_options
def cost(
    job_id: str,
    targets: tuple[str, ...],
    prices_file: Path | None,
    free_tier: bool,
    as_json: bool,
    store_url: str | None,
) -> None:
    """Price what a job has used: generating, duplicates, failures, messages, storage; per 1,000 images.

    Measured time by a price table: an estimate, not an invoice. A job that ran on this machine is priced as
    if that time had been spent in the cloud. How it is computed: docs/cost.md.
    """
    from results.cost.actual import job_cost
    from results.cost.prices import load_prices

    prices = load_prices(prices_file)
    store, manifest = open_job(job_id, store_url)
    chosen = chosen_targets(manifest, targets)
    job = job_cost(store, job_id, prices, free_tier=free_tier, targets=chosen)
    if as_json:
        return click.echo(job.model_dump_json())
    if not any(part.tasks or part.wasted.seconds or part.unreadable for part in job.targets):
        return click.echo(f"job {job_id} has no records yet: see `diptych status {job_id}`")
    return _show(job, prices, chosen)


def _show(job: JobCost, prices: Prices, targets: Sequence[Target]) -> None:
    from rich.console import Console, Group
    from rich.text import Text

    from results.cost.table import add_bills, cost_table, dollars, notes

    head = {
        "tasks": [f"{part.tasks:,}" for part in job.targets],
        "images": [f"{part.images:,}" for part in job.targets],
        "billed seconds": [f"{part.seconds:,.1f}" for part in job.targets],
        "of duplicates, failures": [f"{part.wasted.seconds:,.1f}" for part in job.targets],
    }
    title = f"job {job.job_id}: cost of what was measured"
    table = cost_table(title, targets, head, [part.usage for part in job.targets])
    add_bills(table, [part.bill for part in job.targets])
    table.add_section()
    table.add_row("total", *(dollars(part.bill.total) for part in job.targets), style="bold")
    table.add_row("per 1,000 images", *(dollars(part.cost_per_1000_images) for part in job.targets))
    lines = [
        f"Job: {dollars(job.total)} (submission {dollars(job.submission.total)} in it).",
        *(line for part in job.targets for line in _remarks(part)),
        *notes(prices, job.free_tier),
        "It prices measured time by the table; an invoice also has idle instances, builds, logs and taxes.",
    ]
    Console().print(Group(table, *map(Text, lines)))


def _remarks(part: TargetCost) -> list[str]:
    from results.cost.table import dollars

    wasted, lines = part.wasted, []
    if wasted.duplicates or wasted.failures:
        lines.append(
            f"{part.target}: {counted(wasted.duplicates, 'duplicate')} and"
            f" {counted(wasted.failures, 'failure')} took {wasted.seconds:,.1f} s,"
            f" generated {counted(wasted.images, 'image')} in vain and cost {dollars(wasted.cost)} of it."
        )
    if wasted.unrecorded:
        verb = "was" if wasted.unrecorded == 1 else "were"
        lines.append(
            f"{part.target}: {counted(wasted.unrecorded, 'attempt')} {verb} given back for another"
            " try or dead-lettered; their time is not recorded, and not in the sums."
        )
    if part.unreadable:
        lines.append(f"{part.target}: {counted(part.unreadable, 'damaged document')}: not in the sums.")
    if part.service == "own":
        lines.append(f"{part.target}: machines of your own: their computing is not priced.")
    return lines
