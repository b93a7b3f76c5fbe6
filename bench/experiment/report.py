"""The report of an experiment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import exp
from typing import Any, Final

import numpy as np

from bench.cloud.report import usage_table
from bench.experiment.text import interval_text, lead_lines
from bench.runs.page import (
    conditions,
    figures,
    mapping_table,
    method_section,
    page_html,
    paragraph,
    plain_table,
)
from bench.runs.plots import whole_ticks
from bench.runs.quantities import milliseconds
from bench.runs.read import StoredRun
from results.report.plot_style import TARGETS, Plot, drawn, finished

_METHOD: Final = (
    "Each trial starts a fresh instance of either target, one after the other, in an order that the seed"
    " shuffled (half of the pairs either way), with the same cores, limits and settings, and asks the same"
    " tasks of it: first one per slot, cold, then the warm ones. "
)
_DEPLOYED_METHOD: Final = (
    "Each trial asks the same tasks of either deployed service, one after the other, in an order that the"
    " seed shuffled (half of the pairs either way): first one per slot, which may wake it up and is no"
    " part of any value, then the warm ones. No instance is fresh, and which one answers is the platform's"
    " choice; neighbours on its machines are not ours to hold still. Requests that a cold process served, by"
    " its record, are left out; without a store there are no records, and they are in. engine, precision,"
    " threads, batch size and preloading are compared as the records give them; CPU, memory, concurrency and"
    " limits are in no record: `diptych doctor` compares those. "
)
_SHARED_METHOD: Final = (
    "A pair's value is the mean log ratio over"
    " its tasks; the interval is the symmetric bootstrap-t over pairs (95%). Metric, phase and margin were"
    " named before. That question is judged alone; the metrics beside it are judged together, with Holm's"
    " correction, and are a hint, no more. Pairs that a request failed in are left out and counted. Times are"
    " libcurl's (response_s, first_byte_s) and the worker's own (process_s, cpu_s_per_image)."
)


def method(run: StoredRun) -> str:
    """How it was measured."""
    deployed = (run.configuration.get("experiment") or {}).get("deployed")
    return (_DEPLOYED_METHOD if deployed else _METHOD) + _SHARED_METHOD


def report_html(run: StoredRun) -> str:
    """One run as one file."""
    results = run.results
    return page_html(str(results["title"]), " ".join(lead_lines(run)), _sections(run))


def _sections(run: StoredRun) -> Iterator[str]:
    results = run.results
    yield "<h2>The question</h2>" + verdicts_table(
        results, [results["question"]], "Named before the first trial"
    )
    yield "<h2>Beside it</h2>" + verdicts_table(results, results["beside"], "Corrected for their number")
    yield f"<h2>Plots</h2>{figures(_plots(results))}"
    yield "<h2>Samples</h2>" + _samples(results)
    if "instances" in results:
        yield mapping_table("Fresh instances", results["instances"])
    yield usage_table(results.get("cloud") or {}) + _conditions(results.get("conditions") or {})
    yield conditions(run) + method_section(method(run))


def _conditions(noted: Mapping[str, Any]) -> str:
    """What the records tell, side by side."""
    if not noted:
        return ""
    names = [*noted["seen"]]
    rows = [
        (key, *(_seen(noted["seen"][name][key]) for name in names)) for key in noted["seen"][names[0]]
    ] + [(key, *(str(noted["requests"][name][key]) for name in names)) for key in noted["requests"][names[0]]]
    return plain_table("Settings and instances, as the records give them", ("", *names), rows, words=2)


def _seen(counts: Mapping[str, int]) -> str:
    if len(counts) < 2:
        return "".join(counts)
    return ", ".join(f"{value} ({count} requests)" for value, count in counts.items())


def verdicts_table(results: Mapping[str, Any], answers: Sequence[Mapping[str, Any]], caption: str) -> str:
    """Findings, a row each."""
    first, second = results["targets"]
    rows = [
        (
            *(
                f"{answer['metric']}, {answer['phase']}",
                answer["pairs"],
                _number(answer["ratio"]),
                interval_text(answer),
            ),
            *(_number(answer["p_value"]), _number(answer["order_effect"]), answer["verdict"] or "none"),
        )
        for answer in answers
    ]
    head = ("", "pairs", f"{first} / {second}", "95% interval", "p", "order effect", "verdict")
    return plain_table(caption, head, rows, words=1) + _notes(answers)


def _notes(answers: Sequence[Mapping[str, Any]]) -> str:
    """Alike ones once, with what they are of."""
    questions: dict[str, list[str]] = {}
    for answer in answers:
        if answer["note"]:
            questions.setdefault(answer["note"], []).append(f"{answer['metric']}, {answer['phase']}")
    return "".join(paragraph(f"{'; '.join(names)}: {note}.") for note, names in questions.items())


def _samples(results: Mapping[str, Any]) -> str:
    rows = [
        (
            f"{answer['metric']}, {answer['phase']}",
            name,
            sample["n"],
            *(milliseconds(sample[key]) for key in ("mean", "sd", "median")),
        )
        for answer in (results["question"], *results["beside"])
        for name, sample in answer["samples"].items()
    ]
    return plain_table("Single requests, milliseconds", ("", "target", "n", "mean", "SD", "median"), rows)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _plots(results: Mapping[str, Any]) -> Iterator[Plot]:
    answer = results["question"]
    if not answer["values"]:
        return
    yield _pairs_plot(results, answer)
    yield from intervals_plot([("", results)])


def _pairs_plot(results: Mapping[str, Any], answer: Mapping[str, Any]) -> Plot:
    first, second = results["targets"]
    ratios = np.exp(answer["values"])
    with drawn(2.2) as (figure, axes):
        _margin(axes.axhspan, results["margin"])
        axes.plot(np.arange(1, len(ratios) + 1), ratios, "o", color=TARGETS["container"], markersize=3.5)
        axes.axhline(exp(float(np.mean(answer["values"]))), color=TARGETS["function"], linewidth=1.2)
        whole_ticks(axes.xaxis)
        axes.set_xlabel("pair, in the order of time")
        axes.set_ylabel(f"{first} / {second}")
        caption = "A dot is one pair, the line their geometric mean; shaded: what the margin counts as equal."
        return finished(figure, "pairs", f"{answer['metric']}, {answer['phase']}, pair by pair", caption)


def intervals_plot(asked: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[Plot]:
    """The ratios with their intervals, of one run or of several under their names."""
    answers = [
        (" ".join((name, f"{answer['metric']}, {answer['phase']}")).strip(), answer)
        for name, results in asked
        for answer in (results["question"], *results["beside"])
        if answer["low"] is not None
    ][::-1]
    if not answers:
        return
    ratios = {" / ".join(results["targets"]) for _, results in asked}
    margins = {results["margin"] for _, results in asked}
    with drawn(0.8 + 0.28 * len(answers)) as (figure, axes):
        for margin in margins:
            _margin(axes.axvspan, margin)
        for place, (_, answer) in enumerate(answers):
            axes.plot(
                [answer["low"], answer["high"]], [place, place], "-", color=TARGETS["container"], linewidth=2
            )
            axes.plot([answer["ratio"]], [place], "o", color=TARGETS["container"], markersize=4)
        axes.set_yticks(range(len(answers)), [name for name, _ in answers])
        axes.set_xlabel(f"{ratios.pop() if len(ratios) == 1 else 'first / second target'}, 95% interval")
        yield finished(
            figure, "intervals", "Ratios", "The first of a run is its question; shaded: the margin."
        )


def _margin(span: Any, margin: float) -> None:
    span(1 / (1 + margin), 1 + margin, color=TARGETS["celery"], alpha=0.12, linewidth=0)
