"""Costs as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rich import box
from rich.table import Table

from results.cost.bill import Bill, Usage
from results.cost.prices import Prices

_NOTHING: Final = "–"
_BILL_ROWS: Final = (
    ("vCPU", "vcpu"),
    ("memory", "memory"),
    ("requests", "requests"),
    ("Pub/Sub", "pubsub"),
    ("storage operations", "operations"),
    ("storage", "storage"),
    ("egress", "egress"),
)
_USAGE_ROWS: Final = (
    ("requests", "requests"),
    ("vCPU-seconds", "vcpu_s"),
    ("GiB-seconds", "gib_s"),
    ("Pub/Sub bytes", "pubsub_bytes"),
    ("writes, lists (class A)", "class_a"),
    ("reads, look-ups (class B)", "class_b"),
    ("stored bytes", "stored_bytes"),
)


def cost_table(
    title: str, columns: Sequence[str], head: Mapping[str, Sequence[str]], usages: Sequence[Usage | None]
) -> Table:
    """Start a table: a column per target, what was counted first.

    Args:
        title: above it.
        columns: their names.
        head: the first rows, a cell per column.
        usages: one per column; None: an empty column.
    """
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for label, cells in head.items():
        table.add_row(label, *cells)
    for label, field in _USAGE_ROWS:
        table.add_row(label, *(_amount(usage, field) for usage in usages))
    table.add_section()
    return table


def add_bills(table: Table, bills: Sequence[Bill]) -> None:
    """Add what each thing costs; rows that cost nothing anywhere are left out."""
    for label, field in _BILL_ROWS:
        costs = [float(getattr(bill, field)) for bill in bills]
        if any(costs):
            table.add_row(label, *map(dollars, costs))


def dollars(amount: float | None) -> str:
    """E.g. "$0.0034", "$12.30": two figures that say something, at the least."""
    if amount is None:
        return _NOTHING
    if amount == 0:
        return "$0"
    if amount < 0.000001:
        return "<$0.000001"
    for digits in (2, 4, 6):
        if amount >= 10 ** (1 - digits):
            return f"${amount:,.{digits}f}"
    return f"${amount:.6f}"


def notes(prices: Prices, free_tier: bool) -> list[str]:
    """What is to be known of any figure: the table's date, and what it is not."""
    unsure = [
        name
        for name, group in (
            ("cloud_run", prices.cloud_run),
            ("pubsub", prices.pubsub),
            ("storage", prices.storage),
        )
        if group.sureness not in ("stated", "own")
    ]
    free = "monthly free tier taken off, as if unused" if free_tier else "free tier not taken off"
    lines = [
        f"An estimate in US dollars, not an invoice: list prices of {prices.date}, {prices.region}; {free}."
    ]
    if unsure:
        lines.append(f"Not all prices could be checked: {', '.join(unsure)} (see `note` in the price table).")
    return lines


def _amount(usage: Usage | None, field: str) -> str:
    if usage is None:
        return _NOTHING
    amount = float(getattr(usage, field))
    return f"{amount:,.1f}" if amount != int(amount) else f"{amount:,.0f}"
