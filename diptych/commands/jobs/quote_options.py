"""Options for a cost estimate; `results cost` shares some of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from diptych.commands.options import all_options

if TYPE_CHECKING:
    from producer.submit import Draft

prices_option = click.option(
    "--prices",
    "prices_file",
    envvar="DIPTYCH_PRICES",
    show_envvar=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Price table to use instead of the built-in one; see docs/cost.md.",
)
free_tier_option = click.option(
    "--free-tier", is_flag=True, help="Deduct the monthly free tier, as if nothing else used it."
)
cost_options = all_options(
    click.option(
        "--quote", "quoting", is_flag=True, help="Estimate the cost without writing or publishing anything."
    ),
    click.option(
        "--max-cost", type=float, metavar="USD", help="Refuse the job if its upper estimate exceeds this."
    ),
    prices_option,
    free_tier_option,
)


@dataclass(frozen=True, slots=True)
class CostOptions:
    """The cost options of a submission.

    Args:
        quoting: show the quote and stop.
        max_cost: limit of the upper estimate, in dollars; None: no limit.
    """

    quoting: bool
    max_cost: float | None
    prices_file: Path | None
    free_tier: bool

    def settle(self, draft: Draft, as_json: bool) -> bool:
        """Show the quote and check the budget. True if the command ends here.

        Raises:
            PriceError: the price table cannot be used.
            RequestError: the upper estimate is over the budget.
        """
        if not self.quoting and self.max_cost is None:
            return False
        from diptych.commands.jobs.quote_output import show_quote
        from producer.quote import check_budget, make_quote
        from results.cost.prices import load_prices

        prices = load_prices(self.prices_file)
        quote = make_quote(draft, prices, free_tier=self.free_tier)
        if self.quoting:
            show_quote(quote, draft, prices, as_json)
        if self.max_cost is not None:
            check_budget(quote, self.max_cost)
        return self.quoting
