"""JMeter 2.13 as Debian packages it (jmeter, jmeter-http): runs one push in a closed loop and reads its log.

Debian's XStream is newer than this JMeter and makes no object of a type that nobody has allowed: `jmeter -n`
ends with "ForbiddenClassException: org.apache.jmeter.save.ScriptWrapper" at any plan, and JMeter 2.13 has no
setting for that. A script for BeanShell, which Debian's jmeter brings with it, allows JMeter's own types and
then starts JMeter's own main class: what measures is JMeter as it was installed.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from bench.errors import BenchError
from benchmarks.generator.figures import Figures, Request, figures
from benchmarks.generator.tool import Load, run

_HOME: Final = Path("/usr/share/jmeter")
_NEEDED: Final = (
    _HOME / "bin/ApacheJMeter.jar",
    _HOME / "lib/ext/ApacheJMeter_http.jar",
    Path("/usr/share/java/bsh.jar"),
)
_START: Final = """import org.apache.jmeter.NewDriver;
field = NewDriver.class.getDeclaredField("loader");
field.setAccessible(true);
loader = field.get(null);
Thread.currentThread().setContextClassLoader(loader);
home = System.getProperty("jmeter.home");
utils = loader.loadClass("org.apache.jmeter.util.JMeterUtils");
one = new Class[]{String.class};
utils.getMethod("loadJMeterProperties", one).invoke(null, new Object[]{home + "/bin/jmeter.properties"});
utils.getMethod("setJMeterHome", one).invoke(null, new Object[]{home});
saver = loader.loadClass("org.apache.jmeter.save.SaveService");
for (name : new String[]{"JMXSAVER", "JTLSAVER"}) {
    field = saver.getDeclaredField(name);
    field.setAccessible(true);
    field.get(null).allowTypesByWildcard(new String[]{"org.apache.jmeter.**", "org.apache.jorphan.**"});
}
NewDriver.main(bsh.args);
"""
_PLAN: Final = """<?xml version="1.0" encoding="UTF-8"?>
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
<boolProp name="HTTPSampler.use_keepalive">true</boolProp></HTTPSamplerProxy><hashTree>
<HeaderManager guiclass="HeaderPanel" testclass="HeaderManager" testname="headers" enabled="true">
<collectionProp name="HeaderManager.headers"><elementProp name="" elementType="Header">
<stringProp name="Header.name">Content-Type</stringProp>
<stringProp name="Header.value">application/json</stringProp></elementProp></collectionProp>
</HeaderManager><hashTree/></hashTree>
</hashTree></hashTree></hashTree></jmeterTestPlan>
"""
_WARM_UP_S: Final = 15
"""Java compiles JMeter while it runs: at 200 requests a second its mean falls for about so long."""
_SETTINGS: Final = (
    "-Jjmeter.save.saveservice.output_format=csv",
    "-Jjmeter.save.saveservice.print_field_names=true",
    "-Jjmeter.save.saveservice.connect_time=true",
    "-Jsampleresult.timestamp.start=true",
)


def jmeter_missing() -> str:
    """What is not there of Debian's JMeter; "" if it is complete."""
    if not shutil.which("java"):
        return "java"
    return next((str(path) for path in _NEEDED if not path.exists()), "")


def jmeter(load: Load) -> Figures:
    """JMeter's elapsed, latency (the first byte of the answer's body) and connect, in whole milliseconds.

    Raises:
        BenchError: it did not run.
    """
    seconds = load.seconds + _WARM_UP_S
    port = urlsplit(load.url).port
    plan = _PLAN.format(users=load.users, seconds=seconds, port=port, body=escape(load.body.decode()))
    (load.folder / "plan.jmx").write_text(plan)
    (load.folder / "start.bsh").write_text(_START)
    log = load.folder / "result.jtl"
    log.unlink(missing_ok=True)
    jars = f"{_NEEDED[0]}:{_NEEDED[2]}"
    java = ["java", f"-Djmeter.home={_HOME}", "-cp", jars, "bsh.Interpreter", "start.bsh"]
    said = run([*java, "-n", "-t", "plan.jmx", "-l", log.name, "-j", "jmeter.log", *_SETTINGS], load.folder)
    if not log.exists():
        raise BenchError(f"jmeter measured nothing: {said.strip().splitlines()[-1:]}")
    with log.open() as file:
        return figures(jmeter_requests(file), skip_s=_WARM_UP_S)


def jmeter_requests(lines: Iterable[str]) -> list[Request]:
    """Read JMeter's log.

    Args:
        lines: CSV with field names.
    Raises:
        BenchError: it lacks a column.
    """
    try:
        return [
            Request(
                sent_s=int(row["timeStamp"]) / 1000,
                # JMeter writes the name of an exception where there was no answer.
                status=int(row["responseCode"]) if row["responseCode"].isdigit() else 0,
                response_s=int(row["elapsed"]) / 1000,
                # 0 where the answer has no body: JMeter takes this time at the body's first byte.
                first_byte_s=int(row["Latency"]) / 1000 or None,
                connect_s=int(row["Connect"]) / 1000 or None,
            )
            for row in csv.DictReader(lines)
        ]
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BenchError(f"jmeter's log is not in the form that was asked for: {error!r}") from error
