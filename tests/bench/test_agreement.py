"""Agreement with other tools: what they print, as recorded from real runs, and what is made of it."""

from __future__ import annotations

import pytest

from bench.errors import BenchError
from bench.load.generator.load_generator import LoadGenerator
from bench.load.generator.sample import Sample
from bench.load.generator.schedule import LoadPlan
from benchmarks.generator.figures import Agreement, Figures, Request, Round, agreements, figures
from benchmarks.generator.jmeter import jmeter_requests
from benchmarks.generator.report import report
from benchmarks.generator.server import Delays, delayed_server, server_medians
from benchmarks.generator.tools import hey_requests, honoured, wrk_figures
from tests.support.servers.http_target import http_target

WRK = """Running 1s test @ http://127.0.0.1:37209/
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    51.63ms    0.97ms  53.87ms   57.89%
    Req/Sec    38.00      6.32    40.00     90.00%
  38 requests in 1.00s, 41.01KB read
Requests/sec:     37.85
Transfer/sec:     40.84KB
told: answers=38 shed=0 errors=0 mean_us=51629.1 median_us=51745.0
"""
HEY = """response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset
0.0530,0.0003,0.0000,0.0000,0.0308,0.0218,200,0.0002
0.0532,0.0001,0.0000,0.0000,0.0308,0.0220,200,0.0001
0.0512,0.0000,0.0000,0.0000,0.0319,0.0193,200,0.0532
"""
JMETER = """timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,\
bytes,grpThreads,allThreads,Latency,Connect
1795808283341,108,push,200,OK,users 1-10,text,true,1105,10,10,108,33
1795808283345,106,push,200,OK,users 1-5,text,true,1105,10,10,106,30
"""


def test_wrk_tells_response_times_of_all_answers_and_nothing_else() -> None:
    read = wrk_figures(WRK)
    assert (read.ok, read.shed, read.errors) == (38, 0, 0)
    assert read.medians == {"response_s": pytest.approx(0.051745)}
    assert read.means == {"response_s": pytest.approx(0.0516291)}


def test_wrk_tells_no_time_where_some_answers_were_refusals() -> None:
    read = wrk_figures(WRK.replace("shed=0", "shed=30"))
    assert (read.ok, read.shed, read.medians, read.means) == (8, 30, {}, {})


def test_hey_s_first_byte_is_the_sum_of_the_steps_to_it() -> None:
    first, second, third = hey_requests(HEY.splitlines())
    assert first[:3] == (0.0002, 200, 0.053)
    assert first.first_byte_s == pytest.approx(0.0311)
    assert first.connect_s == 0.0003
    assert second.connect_s == 0.0001
    assert third.first_byte_s == pytest.approx(0.0319)
    assert third.connect_s is None  # its connection was there


def test_jmeter_s_log_is_in_milliseconds_and_an_exception_is_no_status() -> None:
    reused = "1795808283449,51,push,200,OK,users 1-10,text,true,1105,10,10,31,0\n"
    nothing = (
        "1795808283500,2,push,Non HTTP response code: java.net.SocketException,x,u,text,false,0,1,1,0,0\n"
    )
    first, _, third, fourth = jmeter_requests((JMETER + reused + nothing).splitlines())
    assert first == Request(1795808283.341, 200, 0.108, 0.108, 0.033)
    assert (third.response_s, third.first_byte_s, third.connect_s) == (0.051, 0.031, None)
    assert fourth.status == 0


def test_another_form_of_output_is_said_in_a_line() -> None:
    with pytest.raises(BenchError, match="wrk did not print"):
        wrk_figures(WRK.replace("told:", "said:"))
    with pytest.raises(BenchError, match="hey's output is not in the form"):
        hey_requests(["seconds", "1"])
    with pytest.raises(BenchError, match="jmeter's log is not in the form"):
        jmeter_requests(["seconds", "1"])


def test_refusals_and_errors_are_counted_apart_from_the_times_of_answers() -> None:
    requests = [
        Request(0.0, 200, 9.0, 8.0, 0.001),  # of the run's begin: its connection counts, its times do not
        Request(2.5, 200, 0.050, 0.030, None),
        Request(2.6, 503, 0.001, 0.001, None),
        Request(2.7, 0, 0.001, None, None),
        Request(2.8, 200, 0.054, 0.034, None),
    ]
    read = figures(requests)
    assert (read.ok, read.shed, read.errors) == (2, 1, 1)
    assert read.medians["response_s"] == read.means["response_s"] == pytest.approx(0.052)
    assert read.medians["first_byte_s"] == pytest.approx(0.032)
    assert (read.means["connect_s"], read.notes["new_connections"]) == (0.001, 1)
    with pytest.raises(BenchError, match="of 1 requests none was answered with 2xx"):
        figures(requests[:1])


def test_the_interval_is_the_rounds_range_with_the_coverage_that_their_number_gives() -> None:
    one = Agreement("hey", "response_s", "median", (0.97, 1.01, 0.99, 1.2, 1.0, 0.98))
    assert one.middle == pytest.approx(0.995)
    assert one.interval == (0.97, 1.2)
    assert one.coverage == pytest.approx(0.96875)
    assert one.agrees
    assert not Agreement("hey", "response_s", "median", (1.051,)).agrees


def test_only_what_both_measured_is_compared() -> None:
    def told_by(**medians: float) -> Figures:
        return Figures(10, 0, 0, medians, {}, {"lag_s": 0.001})

    ours, wrk = told_by(response_s=0.050, first_byte_s=0.030), told_by(response_s=0.040)
    rounds = [Round(("wrk", "ours"), 20.0, {"ours": ours, "wrk": wrk}, {})]
    (only,) = agreements(rounds)
    assert (only.tool, only.quantity, only.ratios) == ("wrk", "response_s", (1.25,))
    text = "\n".join(report(rounds))
    assert "| wrk: response, median | 1.250 | 1.250 … 1.250 (0%) | 1.250 | **no** |" in text
    assert "greatest lag was 1.0 ms" in text


def test_jmeter_s_latency_of_an_answer_without_a_body_is_none() -> None:
    """Recorded at a container: 204 has no body, and JMeter takes that time at the body's first byte."""
    head = JMETER.partition("\n")[0]
    row = "1795808862240,40,push,204,NO CONTENT,users 1-2,text,true,147,2,2,0,0"
    (one,) = jmeter_requests([head, row])
    assert (one.status, one.response_s, one.first_byte_s) == (204, 0.04, None)


def test_there_is_no_ratio_where_one_of_the_two_was_refused() -> None:
    notes = {"lag_s": 0.0, "came_back": 3.0, "no_sooner_than_asked": 3.0}
    ours, his = (Figures(10, shed, 0, {"response_s": 0.01}, {}, notes) for shed in (3, 900))
    rounds = [Round(("ours", "hey"), 20.0, {"ours": ours, "hey": his}, {})]
    assert agreements(rounds) == []
    text = "\n".join(report(rounds))
    assert "No ratios" in text
    assert "came back 3 times after a refusal, 3 of them" in text


def test_there_is_no_ratio_to_a_figure_of_0() -> None:
    ours, his = (Figures(10, 0, 0, {"response_s": one}, {}, {"lag_s": 0.0}) for one in (0.0004, 0.0))
    assert agreements([Round(("ours", "jmeter"), 20.0, {"ours": ours, "jmeter": his}, {})]) == []


def test_the_delayed_server_sends_the_first_byte_and_the_rest_when_it_says() -> None:
    samples: list[Sample] = []
    with delayed_server(Delays(0.06, 0.09)) as url:
        plan = LoadPlan(duration_s=0.4, users=2)
        LoadGenerator(url, "container", plan, lambda _task, _attempt: b"{}", samples.append).run()
        server = server_medians(url)
        assert server_medians(url) == {"answers": 0}  # it tells each answer once
    assert server["answers"] == len(samples) >= 2
    assert all(one.status == 200 and one.bytes == 1024 for one in samples)
    assert all(one.first_byte_s is not None and one.first_byte_s >= 0.0599 for one in samples)
    assert all(one.response_s >= 0.1499 for one in samples)
    assert 0.0599 <= server["first_byte_s"] < server["response_s"]


def test_ours_comes_back_no_sooner_than_retry_after_asks() -> None:
    samples: list[Sample] = []
    with http_target(lambda number: (503, {"Retry-After": "1"}) if number == 0 else (204, {})) as target:
        plan = LoadPlan(duration_s=1.5, users=1)
        LoadGenerator(target.url, "container", plan, lambda _task, _attempt: b"{}", samples.append).run()
    assert honoured(samples) == {"came_back": 1, "no_sooner_than_asked": 1}
    early = [one for one in samples if one.attempt == 1]
    assert honoured(early) == {"came_back": 0, "no_sooner_than_asked": 0}
