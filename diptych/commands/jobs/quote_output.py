"""What `submit --quote` prints."""

from __future__ import annotations

from rich.console import Console, Group
from rich.text import Text

from diptych.commands.options import print_json
from producer.quote import Quote
from producer.submit import Draft
from results.cost.prices import Prices
from results.cost.table import add_bills, cost_table, dollars, notes


def show_quote(quote: Quote, draft: Draft, prices: Prices, as_json: bool) -> None:
    """Print the expected cost of a job."""
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
        title, [target.target for target in quote.targets], head, [target.usage for target in quote.targets]
    )
    add_bills(table, [target.bill for target in quote.targets])
    table.add_section()
    table.add_row("total", *(dollars(target.bill.total) for target in quote.targets), style="bold")
    table.add_row("per 1,000 images", *(dollars(target.cost_per_1000_images) for target in quote.targets))
    table.add_row("upper estimate", *(dollars(target.upper.total) for target in quote.targets))
    Console().print(Group(table, *(Text(line) for line in _lines(quote, prices))))
    return None


def _lines(quote: Quote, prices: Prices) -> list[str]:
    timing = (
        "measured on this machine"
        if quote.calibrated
        else "the model's nominal value; measure it with `diptych model calibrate`"
    )
    lines = [
        f"Job: {dollars(quote.total)} expected, {dollars(quote.upper_total)} at the upper estimate"
        f" ({dollars(quote.submission.total)} of it for the submission).",
        f"Seconds per image: {timing}; a cloud CPU may be slower.",
        f"Upper estimate: {quote.upper_rule}.",
        *notes(prices, quote.free_tier),
    ]
    if any(target.service == "own" for target in quote.targets):
        lines.append("celery runs on your own machines: their compute time is not priced.")
    return [*lines, "Nothing written, nothing published."]
