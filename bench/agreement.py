"""Does the load generator agree with wrk and JMeter? The same push at the same fresh container, interleaved.

python -m bench.agreement [--rounds 3] [--seconds 5] [--users 4] [--json]      (Debian: wrk, jmeter)
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from bench.errors import BenchError
from bench.load.generator import Generator
from bench.load.pushes import Pushes
from bench.load.sample import Sample
from bench.load.schedule import Plan
from bench.load.workers import local_worker
from local.errors import StackError
from model.registry import Registry

Figures = dict[str, float]
"""Means by quantity, seconds."""
_LUA: Final = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = io.open("body.json"):read("*a")
function done(summary, latency, requests) print("mean_us=" .. latency.mean) end
"""
_JMX: Final = """<?xml version="1.0" encoding="UTF-8"?>
<jmeterTestPlan version="1.2" properties="2.8"><hashTree>
<TestPlan guiclass="TestPlanGui" testclass="TestPlan" testname="plan" enabled="true"/><hashTree>
<ThreadGroup guiclass="ThreadGroupGui" testclass="ThreadGroup" testname="users" enabled="true">
<elementProp name="ThreadGroup.main_controller" elementType="LoopController">
<boolProp name="LoopController.continue_forever">false</boolProp>
<intProp name="LoopController.loops">-1</intProp></elementProp>
<stringProp name="ThreadGroup.num_threads">{users}</stringProp>
<stringProp name="ThreadGroup.ramp_time">0</stringProp>
<boolProp name="ThreadGroup.scheduler">true</boolProp>
<stringProp name="ThreadGroup.duration">{seconds}</stringProp></ThreadGroup><hashTree>
<HTTPSamplerProxy guiclass="HttpTestSampleGui" testclass="HTTPSamplerProxy" testname="push" enabled="true">
<boolProp name="HTTPSampler.postBodyRaw">true</boolProp>
<elementProp name="HTTPsampler.Arguments" elementType="Arguments">
<collectionProp name="Arguments.arguments"><elementProp name="" elementType="HTTPArgument">
<boolProp name="HTTPArgument.always_encode">false</boolProp>
<stringProp name="Argument.value">{body}</stringProp></elementProp></collectionProp></elementProp>
<stringProp name="HTTPSampler.domain">127.0.0.1</stringProp>
<stringProp name="HTTPSampler.port">{port}</stringProp><stringProp name="HTTPSampler.path">/</stringProp>
<stringProp name="HTTPSampler.method">POST</stringProp>
<stringProp name="HTTPSampler.implementation">HttpClient4</stringProp>
<boolProp name="HTTPSampler.use_keepalive">true</boolProp></HTTPSamplerProxy><hashTree/>
</hashTree></hashTree></hashTree></jmeterTestPlan>
"""


def ours(url: str, body: bytes, users: int, seconds: int, _: Path) -> Figures:
    """The generator of `bench load`."""
    samples: list[Sample] = []
    plan = Plan(duration_s=seconds, users=users)
    Generator(url, "container", plan, lambda _task, _attempt: body, samples.append).run()
    ok = [one for one in samples if one.outcome == "ok"]
    if not ok:
        raise BenchError("the container answered nothing")
    return {
        "response_s": mean(one.response_s for one in ok),
        "first_byte_s": mean(one.first_byte_s or 0.0 for one in ok),
        "connect_s": mean(one.connect_s for one in ok if one.connect_s is not None),
    }


def wrk(url: str, body: bytes, users: int, seconds: int, folder: Path) -> Figures:
    """wrk's mean latency; it gives no first byte and no connect time."""
    (folder / "body.json").write_bytes(body)
    (folder / "post.lua").write_text(_LUA)
    said = _run(["wrk", "-t1", f"-c{users}", f"-d{seconds}s", "-s", "post.lua", url], folder)
    return {"response_s": float(said.partition("mean_us=")[2].split()[0]) / 1e6}


def jmeter(url: str, body: bytes, users: int, seconds: int, folder: Path) -> Figures:
    """JMeter's means, without the first second, in which Java compiles itself."""
    port = urlsplit(url).port
    plan = _JMX.format(users=users, seconds=seconds + 1, port=port, body=escape(body.decode()))
    (folder / "plan.jmx").write_text(plan)
    log = folder / "result.jtl"
    log.unlink(missing_ok=True)
    form = ("-Jjmeter.save.saveservice.output_format=csv", "-Jjmeter.save.saveservice.print_field_names=true")
    _run(["jmeter", "-n", "-t", "plan.jmx", "-l", log.name, "-j", "jmeter.log", *form], folder)
    if not log.exists():
        raise BenchError("jmeter could not read the plan: Debian's 2.13 refuses it with a newer XStream")
    with log.open() as file:
        rows = [row for row in csv.DictReader(file) if row["success"] == "true"]
    rows = [row for row in rows if int(row["timeStamp"]) > int(rows[0]["timeStamp"]) + 1000]
    if not rows:
        raise BenchError("jmeter measured nothing")
    columns = {"response_s": "elapsed", "first_byte_s": "Latency"}
    return {name: mean(int(row[column]) for row in rows) / 1000 for name, column in columns.items()}


TOOLS: Final[dict[str, Callable[[str, bytes, int, int, Path], Figures]]] = {"wrk": wrk, "jmeter": jmeter}


def measure(rounds: int, seconds: int, users: int, without: str = "") -> dict[str, list[Figures]]:
    """Figures of each round by tool.

    Raises:
        BenchError: a tool is missing or fails.
        StackError: the container does not start.
    """
    tools = {
        "ours": ours,
        **{name: tool for name, tool in TOOLS.items() if shutil.which(name) and name != without},
    }
    if len(tools) == 1:
        raise BenchError("neither wrk nor jmeter is installed: apt-get install wrk jmeter")
    found: dict[str, list[Figures]] = {name: [] for name in tools}
    with tempfile.TemporaryDirectory(prefix="dta-") as name:
        scratch = Path(name, "tools")
        scratch.mkdir()
        with local_worker("container", Path(name)) as worker:
            body = Pushes("load-agreement", Registry(None).get("faces-64"), "container", 1, 1).body(0, 1)
            ours(worker.url, body, 1, 2, scratch)  # loads the model, and paints the one image
            for _ in range(rounds):
                for tool, run in tools.items():
                    found[tool].append(run(worker.url, body, users, seconds, scratch))
    return found


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchError(f"{command[0]} failed: {error}") from error
    return done.stdout


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench.agreement", description="Compare with wrk and JMeter.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--users", type=int, default=4)
    parser.add_argument("--without", choices=[*TOOLS], default="")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    try:
        found = measure(chosen.rounds, chosen.seconds, chosen.users, chosen.without)
    except (BenchError, StackError) as error:
        sys.exit(f"error: {error}")
    if chosen.json:
        print(json.dumps(found, indent=2))
        return
    for tool, rounds in found.items():
        for quantity in rounds[0]:
            value = median(one[quantity] for one in rounds)
            line = f"{tool:7} {quantity:13} {1000 * value:8.3f} ms"
            if tool != "ours":
                ratios = [
                    mine[quantity] / one[quantity] for mine, one in zip(found["ours"], rounds, strict=True)
                ]
                line += (
                    f"   ours / {tool}: {median(ratios):.3f} (rounds {min(ratios):.3f} to {max(ratios):.3f})"
                )
            print(line)


if __name__ == "__main__":
    main()
