"""The text of an agreement run: what each tool measured, ours over each, and what stands beside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from benchmarks.generator.figures import LIMIT, QUANTITIES, Agreement, Round, agreements

_WORDS: Final = {"response_s": "response", "first_byte_s": "first byte"}
_HEAD: Final = (
    "| tool | ok | shed | errors | response: median | mean | first byte: median | mean | connect: mean |"
)
_SERVER: Final = " server: response | first byte |"


def report(rounds: Sequence[Round]) -> list[str]:
    """Lines of Markdown."""
    told = bool(rounds[0].server)
    said = [_HEAD + (_SERVER if told else ""), "|---|" + "---:|" * (10 if told else 8)]
    said += [_tool_row(tool, rounds) for tool in sorted(rounds[0].figures, key=lambda name: name != "ours")]
    compared = agreements(rounds)
    if not compared:
        refused = any(figures.shed for one in rounds for figures in one.figures.values())
        why = "where some are refused, ours waits, others do not, and their loads differ."
        return [
            *said,
            "",
            f"No ratios: {why if refused else 'no time above 0 of two tools.'}",
            *_beside(rounds),
        ]
    said += [
        "",
        f"| ours / other | median of the rounds | interval | rounds | median within {LIMIT:.0%} |",
        "|---|---:|---|---|---|",
    ]
    said += [_ratio_row(one) for one in compared]
    return [*said, "", *_beside(rounds)]


def _tool_row(tool: str, rounds: Sequence[Round]) -> str:
    every = [one.figures[tool] for one in rounds]
    cells = [tool, *(str(sum(getattr(one, name) for one in every)) for name in ("ok", "shed", "errors"))]
    for quantity in QUANTITIES:
        cells.append(_ms(one.medians.get(quantity) for one in every))
        cells.append(_ms(one.means.get(quantity) for one in every))
    cells.append(_ms(one.means.get("connect_s") for one in every))
    if rounds[0].server:
        cells += [_ms(one.server[tool].get(quantity) for one in rounds) for quantity in QUANTITIES]
    return f"| {' | '.join(cells)} |"


def _ratio_row(one: Agreement) -> str:
    ratios = ", ".join(f"{ratio:.3f}" for ratio in one.ratios)
    verdict = "yes" if one.agrees else "**no**"
    low, high = one.interval
    cells = (
        f"{one.tool}: {_WORDS[one.quantity]}, {one.statistic}",
        f"{one.middle:.3f}",
        f"{low:.3f} … {high:.3f} ({one.coverage:.0%})",
        ratios,
        verdict,
    )
    return f"| {' | '.join(cells)} |"


def _beside(rounds: Sequence[Round]) -> list[str]:
    mine = [one.figures["ours"] for one in rounds]
    longest_s, lag_s = max(one.wall_s for one in rounds), max(one.notes["lag_s"] for one in mine)
    said = [
        f"Times in ms, medians of the rounds' figures. A round took at most {longest_s:.0f} s;"
        f" our generator's greatest lag was {1000 * lag_s:.1f} ms."
    ]
    if any(one.shed for one in mine):
        came_back, in_time = (
            sum(round(one.notes[name]) for one in mine) for name in ("came_back", "no_sooner_than_asked")
        )
        said.append(
            f"Ours came back {came_back} times after a refusal, {in_time} of them no sooner than Retry-After"
            " asks; the other tools do not look at it."
        )
    return said


def _ms(values: Iterable[float | None]) -> str:
    there = [one for one in values if one is not None]
    return f"{1000 * median(there):.2f}" if there else "–"
