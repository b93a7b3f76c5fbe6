"""Our load generator, wrk and hey: each run on the same push, its figures in one form."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from bench.errors import BenchError
from bench.load.generator.load_generator import LoadGenerator
from bench.load.generator.sample import Sample
from bench.load.generator.schedule import LoadPlan
from benchmarks.generator.figures import SKIP_S, Figures, Request, figures
from benchmarks.generator.tool import Load, run

_LUA: Final = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = io.open("body.json"):read("*a")
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) shed = 0; other = 0 end
function response(status)
    if status == 429 or status == 503 then shed = shed + 1
    elseif status < 200 or status > 299 then other = other + 1 end
end
function done(summary, latency, requests)
    local refused, wrong, failed = 0, 0, summary.errors
    for _, thread in ipairs(threads) do
        refused = refused + thread:get("shed")
        wrong = wrong + thread:get("other")
    end
    wrong = wrong + failed.connect + failed.read + failed.write + failed.timeout
    print(string.format("told: answers=%d shed=%d errors=%d mean_us=%.1f median_us=%.1f",
        summary.requests, refused, wrong, latency.mean, latency:percentile(50)))
end
"""
_FIGURES: Final = re.compile(
    r"^told: answers=(\d+) shed=(\d+) errors=(\d+) mean_us=([\d.]+) median_us=([\d.]+)$", re.MULTILINE
)


def ours(load: Load) -> Figures:
    """The generator of `bench load`. It alone honours Retry-After."""
    samples: list[Sample] = []
    plan = LoadPlan(duration_s=load.seconds + SKIP_S, users=load.users)
    LoadGenerator(load.url, "container", plan, lambda _task, _attempt: load.body, samples.append).run()
    requests = [
        Request(sample.sent_s, sample.status, sample.response_s, sample.first_byte_s, sample.connect_s)
        for sample in samples
    ]
    return figures(requests, {"lag_s": max(sample.lag_s for sample in samples), **honoured(samples)})


def honoured(samples: Sequence[Sample]) -> dict[str, float]:
    """Attempts that followed a refusal with a Retry-After, and how many of them no sooner than it asks."""
    attempts: defaultdict[int, dict[int, Sample]] = defaultdict(dict)
    for sample in samples:
        attempts[sample.task][sample.attempt] = sample
    gaps = [
        again.sent_s - sample.ended_s - sample.retry_after_s
        for sample in samples
        if sample.outcome == "shed" and sample.retry_after_s is not None
        if (again := attempts[sample.task].get(sample.attempt + 1))
    ]
    return {"came_back": len(gaps), "no_sooner_than_asked": sum(gap > -1e-6 for gap in gaps)}


def wrk(load: Load) -> Figures:
    """wrk's latency: from writing the request to the last byte, of all answers of the whole run.

    It gives no first byte and no connect time; and, as it cannot tell the times of answers apart by status,
    no times here where some were refused.
    """
    (load.folder / "body.json").write_bytes(load.body)
    (load.folder / "post.lua").write_text(_LUA)
    seconds = f"-d{load.seconds + round(SKIP_S)}s"
    return wrk_figures(
        run(["wrk", "-t1", f"-c{load.users}", seconds, "-s", "post.lua", load.url], load.folder)
    )


def wrk_figures(said: str) -> Figures:
    """Read what our script makes wrk print.

    Raises:
        BenchError: its line is not there.
    """
    found = _FIGURES.search(said)
    if not found:
        raise BenchError("wrk did not print what its script asks for: is it version 4?")
    answers, shed, errors = (int(number) for number in found.groups()[:3])
    mean_s, median_s = (float(number) / 1e6 for number in found.groups()[3:])
    pure = not shed and not errors
    return Figures(
        ok=max(0, answers - shed - errors),
        shed=shed,
        errors=errors,
        medians={"response_s": median_s} if pure else {},
        means={"response_s": mean_s} if pure else {},
        notes={},
    )


def hey(load: Load) -> Figures:
    """hey's rows, in tenths of a millisecond: response, the steps to its first byte, connect."""
    (load.folder / "body.json").write_bytes(load.body)
    what = ["-m", "POST", "-T", "application/json", "-D", "body.json", "-o", "csv"]
    duration = f"{load.seconds + round(SKIP_S)}s"
    said = run(["hey", "-z", duration, "-c", str(load.users), *what, load.url], load.folder)
    return figures(hey_requests(said.splitlines()))


def hey_requests(lines: Sequence[str]) -> list[Request]:
    """Read hey's CSV. Requests without an answer are not in it.

    Raises:
        BenchError: it lacks a column.
    """
    found = []
    try:
        for row in csv.DictReader(lines):
            connect_s = float(row["DNS+dialup"])
            first_s = connect_s + float(row["Request-write"]) + float(row["Response-delay"])
            sent_s, response_s = float(row["offset"]), float(row["response-time"])
            found.append(Request(sent_s, int(row["status-code"]), response_s, first_s, connect_s or None))
    except (KeyError, ValueError, TypeError) as error:
        raise BenchError(f"hey's output is not in the form that was asked for: {error!r}") from error
    return found
