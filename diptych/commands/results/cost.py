"""`diptych results cost`: what a job has cost, told from what its deliveries measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from diptych.commands.jobs.quote_options import free_tier_option, prices_option
from diptych.commands.options import job_argument, json_option, store_option
from diptych.commands.results.job import chosen_targets, open_job, target_option
from producer.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.cost.actual import JobCost, TargetCost
    from results.cost.prices import Prices
    from results.documents import Target


@click.command(short_help="Say what a job has cost, from its records.")
@job_argument
@target_option
@prices_option
@free_tier_option
@json_option
@store_option
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
    found = job_cost(store, job_id, prices, free_tier=free_tier, targets=chosen)
    if as_json:
        return click.echo(found.model_dump_json())
    if not any(one.tasks or one.wasted.seconds or one.unreadable for one in found.targets):
        return click.echo(f"job {job_id} has no records yet: see `diptych status {job_id}`")
    return _show(found, prices, chosen)


def _show(found: JobCost, prices: Prices, targets: Sequence[Target]) -> None:
    from rich.console import Console, Group
    from rich.text import Text

    from results.cost.table import add_bills, cost_table, dollars, notes

    head = {
        "tasks": [f"{one.tasks:,}" for one in found.targets],
        "images": [f"{one.images:,}" for one in found.targets],
        "billed seconds": [f"{one.seconds:,.1f}" for one in found.targets],
        "of duplicates, failures": [f"{one.wasted.seconds:,.1f}" for one in found.targets],
    }
    title = f"job {found.job_id}: cost of what was measured"
    table = cost_table(title, targets, head, [one.usage for one in found.targets])
    add_bills(table, [one.bill for one in found.targets])
    table.add_section()
    table.add_row("total", *(dollars(one.bill.total) for one in found.targets), style="bold")
    table.add_row("per 1,000 images", *(dollars(one.cost_per_1000_images) for one in found.targets))
    lines = [
        f"Job: {dollars(found.total)} (submission {dollars(found.submission.total)} in it).",
        *(line for one in found.targets for line in _remarks(one)),
        *notes(prices, found.free_tier),
        "It prices measured time by the table; an invoice also has idle instances, builds, logs and taxes.",
    ]
    Console().print(Group(table, *map(Text, lines)))


def _remarks(one: TargetCost) -> list[str]:
    from results.cost.table import dollars

    found, lines = one.wasted, []
    if found.duplicates or found.failures:
        lines.append(
            f"{one.target}: {counted(found.duplicates, 'duplicate')} and {counted(found.failures, 'failure')}"
            f" took {found.seconds:,.1f} s, generated {counted(found.images, 'image')} in vain"
            f" and cost {dollars(found.cost)} of it."
        )
    if found.unrecorded:
        verb = "was" if found.unrecorded == 1 else "were"
        lines.append(
            f"{one.target}: {counted(found.unrecorded, 'earlier attempt')} {verb} given back for another try;"
            " their time is not recorded, and not in the sums."
        )
    if one.unreadable:
        lines.append(f"{one.target}: {counted(one.unreadable, 'damaged document')}: not in the sums.")
    if one.service == "own":
        lines.append(f"{one.target}: machines of your own: their computing is not priced.")
    return lines
