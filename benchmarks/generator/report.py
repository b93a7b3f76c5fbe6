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
    timed = bool(rounds[0].server)
    lines = [_HEAD + (_SERVER if timed else ""), "|---|" + "---:|" * (10 if timed else 8)]
    lines += [_tool_row(tool, rounds) for tool in sorted(rounds[0].figures, key=lambda name: name != "ours")]
    compared = agreements(rounds)
    if not compared:
        refused = any(figures.shed for turn in rounds for figures in turn.figures.values())
        why = "where some are refused, ours waits, others do not, and their loads differ."
        return [
            *lines,
            "",
            f"No ratios: {why if refused else 'no time above 0 of two tools.'}",
            *_beside(rounds),
        ]
    lines += [
        "",
        f"| ours / other | median of the rounds | interval | rounds | median within {LIMIT:.0%} |",
        "|---|---:|---|---|---|",
    ]
    lines += [_ratio_row(turn) for turn in compared]
    return [*lines, "", *_beside(rounds)]


def _tool_row(tool: str, rounds: Sequence[Round]) -> str:
    every = [turn.figures[tool] for turn in rounds]
    cells = [tool, *(str(sum(getattr(turn, name) for turn in every)) for name in ("ok", "shed", "errors"))]
    for quantity in QUANTITIES:
        cells.append(_ms(turn.medians.get(quantity) for turn in every))
        cells.append(_ms(turn.means.get(quantity) for turn in every))
    cells.append(_ms(turn.means.get("connect_s") for turn in every))
    if rounds[0].server:
        cells += [_ms(turn.server[tool].get(quantity) for turn in rounds) for quantity in QUANTITIES]
    return f"| {' | '.join(cells)} |"


def _ratio_row(agreement: Agreement) -> str:
    ratios = ", ".join(f"{ratio:.3f}" for ratio in agreement.ratios)
    verdict = "yes" if agreement.agrees else "**no**"
    low, high = agreement.interval
    cells = (
        f"{agreement.tool}: {_WORDS[agreement.quantity]}, {agreement.statistic}",
        f"{agreement.middle:.3f}",
        f"{low:.3f} … {high:.3f} ({agreement.coverage:.0%})",
        ratios,
        verdict,
    )
    return f"| {' | '.join(cells)} |"


def _beside(rounds: Sequence[Round]) -> list[str]:
    mine = [turn.figures["ours"] for turn in rounds]
    longest_s, lag_s = max(turn.wall_s for turn in rounds), max(turn.notes["lag_s"] for turn in mine)
    lines = [
        f"Times in ms, medians of the rounds' figures. A round took at most {longest_s:.0f} s;"
        f" our generator's greatest lag was {1000 * lag_s:.1f} ms."
    ]
    if any(turn.shed for turn in mine):
        came_back, in_time = (
            sum(round(turn.notes[name]) for turn in mine) for name in ("came_back", "no_sooner_than_asked")
        )
        lines.append(
            f"Ours came back {came_back} times after a refusal, {in_time} of them no sooner than Retry-After"
            " asks; the other tools do not look at it."
        )
    return lines


def _ms(values: Iterable[float | None]) -> str:
    there = [value for value in values if value is not None]
    return f"{1000 * median(there):.2f}" if there else "–"
