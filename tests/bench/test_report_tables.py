"""The tables of reports: JMeter's as a listener would fill it from the JTL file, and figures for people."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from statistics import fmean, stdev

import pytest

from bench.load.generator.sample import Sample
from bench.load.jmeter_table import jmeter_figures, jmeter_lines, jmeter_table
from bench.load.jtl import jtl
from bench.runs.quantities import means_table, milliseconds, percentiles_table

ONE = Sample(
    target="container",
    phase="measured",
    task=0,
    attempt=1,
    scheduled_s=0.0,
    due_s=0.0,
    sent_s=0.0,
    lag_s=0.0,
    response_s=0.1,
    first_byte_s=0.09,
    dns_s=None,
    connect_s=None,
    tls_s=None,
    new_connection=0,
    status=204,
    outcome="ok",
    retry_after_s=None,
    bytes=0,
    error="",
)


def samples() -> list[Sample]:
    """60 of each target: every tenth is refused at once, every third opens a connection; and a warm-up."""
    found = []
    for target, offset_s in (("container", 0.0), ("function", 0.05)):
        for number in range(60):
            refused, new = number % 10 == 0, number % 3 == 0
            took_s = 0.002 if refused else 0.1 + offset_s + 0.001 * (number % 7)
            one = replace(ONE, target=target, task=number, response_s=took_s, first_byte_s=took_s - 0.001)
            if refused:
                one = replace(one, status=503, outcome="shed")
            if new:
                one = replace(one, new_connection=1, dns_s=0.001, connect_s=0.004)
            found.append(one)
        found.append(replace(ONE, target=target, phase="warm-up", response_s=9.0))
    return found


def test_the_table_is_what_jmeter_makes_of_the_jtl_file() -> None:
    found = jmeter_figures(samples())
    rows = [*csv.DictReader(io.StringIO(jtl(samples(), 0.0, 10)))]
    for target in ("container", "function"):
        own = [row for row in rows if row["label"] == target]
        figures = found["targets"][target]
        assert figures["samples"] == len(own) == 60
        assert figures["error_rate"] == sum(row["success"] == "false" for row in own) / 60 == 0.1
        for name, column in (("load_time_s", "elapsed"), ("latency_s", "Latency"), ("connect_s", "Connect")):
            values = [int(row[column]) / 1000 for row in own]
            assert figures[name]["mean"] == pytest.approx(fmean(values), abs=1e-6)
            assert figures[name]["sd"] == pytest.approx(stdev(values), abs=1e-6)
    assert found["targets"]["container"]["connect_s"]["mean"] == pytest.approx(0.005 / 3)


def test_a_difference_has_an_interval_or_says_why_not() -> None:
    found = jmeter_figures(samples())
    apart = found["differences"]["container − function"]["load_time_s"]
    assert apart["mean"] == pytest.approx(-0.045)
    low, high = apart["interval"]
    assert low < apart["mean"] < high < 0
    assert found["differences"]["container − function"]["connect_s"]["interval"][0] < 0
    few = jmeter_figures([one for one in samples() if one.task < 10])
    assert few["differences"]["container − function"]["load_time_s"]["interval"] is None
    assert "too few for an interval" in "\n".join(jmeter_lines(few))


def test_the_table_is_told_in_milliseconds() -> None:
    lines = [*jmeter_lines(jmeter_figures(samples()))]
    assert "container: 60 samples, 10.00% errors; load time 92.8 ± " in lines[1]
    assert "load time -45.0 (-" in lines[3]
    markup = jmeter_table([("a", jmeter_figures(samples())), ("b", jmeter_figures(samples()))])
    assert "container a" in markup
    assert "container − function b" in markup
    assert jmeter_table([("", jmeter_figures([]))]) == ""
    assert [*jmeter_lines(jmeter_figures([]))] == []


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        *((12.3456, "12,346"), (0.1234, "123"), (0.01234, "12.3"), (-0.00123, "-1.23")),
        *((4.1e-5, "0.0410"), (0.0, "0"), (None, "")),
    ],
)
def test_milliseconds_have_three_digits_that_count(seconds: float | None, told: str) -> None:
    assert milliseconds(seconds) == told


def test_the_measured_phase_is_shown_and_the_others_are_a_click_away() -> None:
    of = {"n": 2, "mean": 0.05, "sd": 0.01, "mean_interval": [0.04, 0.06], "min": 0.03, "max": 0.07}
    points = [
        {"p": 0.5, "value": 0.05, "interval": [0.04, 0.06]},
        {"p": 0.99, "value": 0.07, "interval": None},
    ]
    figures = {"quantities": {"response_s": {**of, "percentiles": points}}}
    found = [("container", "measured", figures), ("container", "cold", figures)]
    shown, folded = means_table(found).split("<details")
    assert "50.0 ± 10.0<small>40.0 … 60.0</small><small>n 2; 30.0 … 70.0</small>" in shown
    assert "Cold: mean ± SD" in folded
    assert means_table(found[1:]).startswith("<details open")
    assert ">p50<" in percentiles_table(found, ["response_s"])
    assert "p99" not in percentiles_table(found, ["response_s"])
    assert "No percentiles" in percentiles_table(found, ["latency_s"])
