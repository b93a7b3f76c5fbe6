"""How a quote is printed."""

from __future__ import annotations

from rich.console import Console, Group
from rich.text import Text

from diptych.commands.options import print_json
from producer.quote import Quote
from producer.submit import Draft
from results.cost.prices import Prices
from results.cost.table import add_bills, cost_table, dollars, notes


def show_quote(quote: Quote, draft: Draft, prices: Prices, as_json: bool) -> None:
    """Print what a job is expected to cost."""
    if as_json:
        manifest = draft.manifest
        return print_json(
            {"job_id": manifest.job_id, "request": manifest.request(), **quote.model_dump(mode="json")}
        )
    count = len(quote.targets)
    head = {
        "tasks": [f"{quote.tasks_per_target:,}"] * count,
        "images": [f"{quote.count:,}"] * count,
        "seconds per image": [f"{quote.seconds_per_image:g}"] * count,
    }
    title = f"{quote.count:,} images of {draft.manifest.model}: expected cost"
    table = cost_table(
        title, [one.target for one in quote.targets], head, [one.usage for one in quote.targets]
    )
    add_bills(table, [one.bill for one in quote.targets])
    table.add_section()
    table.add_row("total", *(dollars(one.bill.total) for one in quote.targets), style="bold")
    table.add_row("per 1,000 images", *(dollars(one.cost_per_1000_images) for one in quote.targets))
    table.add_row("upper estimate", *(dollars(one.upper.total) for one in quote.targets))
    Console().print(Group(table, *(Text(line) for line in _lines(quote, prices))))
    return None


def _lines(quote: Quote, prices: Prices) -> list[str]:
    timing = (
        "calibrated here"
        if quote.calibrated
        else "the model's nominal: `diptych model calibrate` measures it"
    )
    lines = [
        f"Job: {dollars(quote.total)} expected, {dollars(quote.upper_total)} at the upper estimate"
        f" (submission {dollars(quote.submission.total)} in it).",
        f"Seconds per image: {timing}; a cloud's CPU may be slower.",
        f"Upper estimate: {quote.upper_rule}.",
        *notes(prices, quote.free_tier),
    ]
    if any(one.service == "own" for one in quote.targets):
        lines.append("celery runs on machines of your own: their computing is not priced.")
    return [*lines, "Nothing was written or published."]
