"""What a load tool says of a run, in one form for all of them, and how ours stands to the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Final, NamedTuple

from bench.errors import BenchError
from bench.load.generator.sample import outcome_of

LIMIT: Final = 0.05
"""Two tools agree when the median of the rounds' ratios is no further from 1."""
QUANTITIES: Final = ("response_s", "first_byte_s")
SKIP_S: Final = 2.0
"""Requests of a run's begin that are not counted: connections open in it."""


class Request(NamedTuple):
    """One request as a tool tells it.

    Args:
        sent_s: when; from any origin.
        status: HTTP status, 0 if there was none.
        response_s: to the last byte.
        first_byte_s: to the first byte of the answer; None where it was not measured.
        connect_s: of a new connection; None on a reused one.
    """

    sent_s: float
    status: int
    response_s: float
    first_byte_s: float | None
    connect_s: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What one tool measured in one round.

    Args:
        ok: answers with 2xx that were counted.
        shed: 429 and 503, in the whole run.
        errors: other answers, and none, in the whole run.
        medians: seconds by quantity, of the ok ones; empty where the tool cannot tell them from the rest.
        means: likewise. `connect_s` is of new connections, those of the run's begin included.
        notes: anything more, by name.
    """

    ok: int
    shed: int
    errors: int
    medians: Mapping[str, float]
    means: Mapping[str, float]
    notes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Round:
    """Every tool once.

    Args:
        order: of the tools, by lot.
        wall_s: how long it took.
        figures: by tool.
        server: by tool, medians that the delayed server itself tells; empty for other endpoints.
    """

    order: tuple[str, ...]
    wall_s: float
    figures: Mapping[str, Figures]
    server: Mapping[str, Mapping[str, float]]


def figures(
    requests: Sequence[Request], notes: Mapping[str, float] | None = None, *, skip_s: float = SKIP_S
) -> Figures:
    """Sum up one tool's run.

    Args:
        requests: all of them.
        notes: for the figures.
        skip_s: requests sent sooner after the first one are not counted.
    Raises:
        BenchError: nothing is left to be counted.
    """
    begin_s = min((request.sent_s for request in requests), default=0.0)
    outcomes = [outcome_of(request.status) for request in requests]
    counted = [
        request
        for request, outcome in zip(requests, outcomes, strict=True)
        if outcome == "ok" and request.sent_s - begin_s >= skip_s
    ]
    if not counted:
        raise BenchError(
            f"of {len(requests)} requests none was answered with 2xx after the first {skip_s:g} s:"
            " use more --seconds, or look at the endpoint"
        )
    values: dict[str, list[float]] = {"response_s": [request.response_s for request in counted]}
    values["first_byte_s"] = [request.first_byte_s for request in counted if request.first_byte_s is not None]
    values["connect_s"] = [request.connect_s for request in requests if request.connect_s is not None]
    return Figures(
        ok=len(counted),
        shed=outcomes.count("shed"),
        errors=outcomes.count("error"),
        medians={name: median(some) for name, some in values.items() if some},
        means={name: mean(some) for name, some in values.items() if some},
        notes={**(notes or {}), "new_connections": len(values["connect_s"])},
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """Our figure of a quantity over another tool's.

    Args:
        tool: the other one.
        quantity: which.
        statistic: median or mean.
        ratios: by round.
    """

    tool: str
    quantity: str
    statistic: str
    ratios: tuple[float, ...]

    @property
    def middle(self) -> float:
        """Median of the rounds' ratios."""
        return median(self.ratios)

    @property
    def interval(self) -> tuple[float, float]:
        """The least and the greatest ratio: they hold the ratio's true median with the chance `coverage`."""
        return min(self.ratios), max(self.ratios)

    @property
    def coverage(self) -> float:
        """Of the interval, whatever the distribution: both ends miss only if all rounds fall on one side."""
        return float(1 - 2.0 ** (1 - len(self.ratios)))

    @property
    def agrees(self) -> bool:
        """The median is within the limit."""
        return abs(self.middle - 1) <= LIMIT


def agreements(rounds: Sequence[Round]) -> list[Agreement]:
    """Ours against each other tool, by quantity; what one of the two did not measure is left out.

    So are rounds in which one of the two was refused: ours waits then, others do not, and the loads differ.

    Args:
        rounds: with `ours` among the tools.
    """
    found = []
    for tool in (name for name in rounds[0].figures if name != "ours"):
        for quantity in QUANTITIES:
            for statistic in ("medians", "means"):
                pairs = [
                    (getattr(turn.figures["ours"], statistic), getattr(turn.figures[tool], statistic))
                    for turn in rounds
                    if not turn.figures["ours"].shed and not turn.figures[tool].shed
                ]
                # JMeter can tell 0, in whole milliseconds: there is no ratio to that.
                ratios = [ours[quantity] / his[quantity] for ours, his in pairs if his.get(quantity)]
                if ratios:
                    found.append(Agreement(tool, quantity, statistic.removesuffix("s"), tuple(ratios)))
    return found
