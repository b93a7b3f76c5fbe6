"""The two workers on Google Cloud: limits, retries, equal resources and callers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from deploy.command import Command, gcloud
from deploy.deployment import CONCURRENCY, READY_PATH, REQUEST_TIMEOUT_S, Deployment
from deploy.doctor.check import Check, fail, ok, skipped, warn
from deploy.doctor.cloud_plan import again
from deploy.errors import GcloudError, NotThere
from deploy.facts import (
    READY,
    Document,
    Facts,
    differences,
    function_facts,
    members,
    service_facts,
    service_urls,
)
from deploy.gcloud import Runner
from deploy.plan.container import PROBE, describe_service
from deploy.steps import JSON
from pipeline.config.pubsub_settings import ACK_DEADLINE_S
from results.targets import PUSHED_TARGETS, Target

EVERYBODY: Final = ("allUsers", "allAuthenticatedUsers")
INVOKER: Final = "roles/run.invoker"
_OPEN_NOTE: Final = "run.googleapis.com/invoker-iam-disabled"
_EQUAL: Final = ("cpu", "memory", "concurrency", "timeout", "min instances", "max instances")
_EQUAL_VARIABLES: Final = (
    "DIPTYCH_THREADS",
    "DIPTYCH_PRELOAD",
    "DIPTYCH_DEFAULT_MODEL",
    "DIPTYCH_BATCH_SIZE",
    "DIPTYCH_ENGINE",
    "OMP_NUM_THREADS",
)
# Flags of `gcloud run services update` that fix a fact.
_FLAGS: Final = {
    "concurrency": f"--concurrency={CONCURRENCY}",
    "timeout": f"--timeout={REQUEST_TIMEOUT_S}s",
    "CPU boost": "--cpu-boost",
    "start-up probe": f"--startup-probe={PROBE}",
}


def worker_checks(runner: Runner, deployment: Deployment) -> Iterator[Check]:
    """All checks of both workers."""
    where = deployment.region_flags
    service = _read(runner, gcloud("run services describe", *describe_service(deployment, "container")))
    name = deployment.service("function")
    function = _read(runner, gcloud("functions describe", name, "--gen2", *where, JSON))
    below = _read(runner, gcloud("run services describe", *describe_service(deployment, "function")))
    yield service_check(runner, deployment, service)
    yield address_check(runner, deployment, service)
    yield function_check(deployment, function)
    yield retry_check(deployment, function)
    yield resources_check(deployment, service, function, below)
    yield time_limits_check(deployment, service)
    documents: Mapping[Target, Document | str] = {"container": service, "function": below}
    for target in PUSHED_TARGETS:
        yield private_check(runner, deployment, target, documents[target])


def service_check(runner: Runner, deployment: Deployment, service: Document | str) -> Check:
    """Check the container's limits and the variables that its security depends on."""
    name = f"Cloud Run service {deployment.service('container')}"
    if isinstance(service, str):
        return fail(name, service, again(deployment))
    expected = {
        "concurrency": str(CONCURRENCY),
        "timeout": f"{REQUEST_TIMEOUT_S} s",
        "CPU boost": "true",
        "start-up probe": READY_PATH,
        "service account": deployment.account("container"),
        "state": READY,
        **_variables(runner, deployment, "container"),
    }
    actual = service_facts(service)
    lacking = differences(expected, actual)
    if not lacking:
        return ok(name, f"one task at a time, {REQUEST_TIMEOUT_S} s, probed at {READY_PATH}")
    flags = [flag for fact, flag in _FLAGS.items() if actual.get(fact) != expected[fact]]
    variables = {
        fact.removeprefix("variable "): value
        for fact, value in expected.items()
        if fact.startswith("variable ") and actual.get(fact) != value
    }
    if variables:
        flags.append("--update-env-vars=" + ",".join(f"{key}={value}" for key, value in variables.items()))
    if actual["service account"] != expected["service account"]:
        flags.append(f"--service-account={expected['service account']}")
    if not flags:
        return fail(name, lacking, again(deployment))
    return fail(name, lacking, _update(deployment, "container", *flags).shell(runner.variables))


def function_check(deployment: Deployment, function: Document | str) -> Check:
    """Check the function's limits."""
    name = f"function {deployment.service('function')}"
    if isinstance(function, str):
        return fail(name, function, again(deployment))
    expected = {
        "state": "ACTIVE",
        "concurrency": str(CONCURRENCY),
        "timeout": f"{REQUEST_TIMEOUT_S} s",
        "service account": deployment.account("function"),
        "topic": deployment.queue.topic,
        "trigger account": deployment.account("push"),
        "variable DIPTYCH_STORE_URL": deployment.store_url,
        "variable DIPTYCH_TARGET": "function",
    }
    lacking = differences(expected, function_facts(function))
    if lacking:
        return fail(name, lacking, again(deployment))
    return ok(name, f"one task at a time, {REQUEST_TIMEOUT_S} s, on topic {deployment.queue.topic}")


def retry_check(deployment: Deployment, function: Document | str) -> Check:
    """Check that the function's retries are on."""
    name = "retries of the function"
    if isinstance(function, str):
        return skipped(name, "the function does not exist")
    if function_facts(function)["retries"] != "on":
        return fail(name, "are off: a task that fails once is lost", again(deployment))
    return ok(name, "are on")


def resources_check(
    deployment: Deployment, service: Document | str, function: Document | str, below: Document | str
) -> Check:
    """Check that both targets have equal resources: else a comparison is not fair."""
    name = "equal resources"
    if isinstance(service, str) or isinstance(function, str):
        return skipped(name, "one of the two does not exist")
    left, right = service_facts(service), function_facts(function)
    facts = [*_EQUAL, *(f"variable {each}" for each in _EQUAL_VARIABLES)]
    pairs = {fact: (left.get(fact, "unset"), right.get(fact, "unset")) for fact in facts}
    if not isinstance(below, str):
        # A function's description lacks this fact, and `functions deploy` has no flag for it.
        pairs["CPU boost"] = (left["CPU boost"], service_facts(below)["CPU boost"])
    unequal = [f"{fact} {first} and {second}" for fact, (first, second) in pairs.items() if first != second]
    if unequal:
        text = f"container and function differ: {'; '.join(unequal)}: no fair comparison"
        boost = _update(deployment, "function", "--cpu-boost").shell()
        lines = [boost] if pairs.get("CPU boost") == ("true", "false") else []
        if len(unequal) > len(lines):
            lines.insert(0, again(deployment))
        return warn(name, text, "\n".join(lines))
    return ok(
        name, f"both have {left['cpu']} vCPU, {left['memory']}, at most {left['max instances']} instances"
    )


def time_limits_check(deployment: Deployment, service: Document | str) -> Check:
    """Check that a worker stops before its platform's timeout, which is before Pub/Sub redelivers."""
    name = "time limits"
    if isinstance(service, str):
        return skipped(name, "the service does not exist")
    facts = service_facts(service)
    try:
        deadline_s = float(facts.get("variable DIPTYCH_DEADLINE_S", "540"))
        timeout_s = float(facts["timeout"].removesuffix(" s"))
    except ValueError as error:
        return fail(name, f"DIPTYCH_DEADLINE_S or the timeout is not a number ({error})", again(deployment))
    text = f"worker {deadline_s:g} s, platform {timeout_s:g} s, ack deadline {ACK_DEADLINE_S} s"
    if not deadline_s < timeout_s < ACK_DEADLINE_S:
        return fail(name, f"{text}: each must be less than the next", again(deployment))
    return ok(name, text)


def address_check(runner: Runner, deployment: Deployment, service: Document | str) -> Check:
    """Check that the service has the URL to which Pub/Sub pushes."""
    name = "address of the container"
    if isinstance(service, str) or "PROJECT_NUMBER" not in runner.variables:
        return skipped(name, "the service or the project does not exist")
    url = Command((deployment.container_url,)).filled(runner.variables)[0]
    if url in service_urls(service):
        return ok(name, url)
    shown = ", ".join(each for each in service_urls(service) if each) or "none"
    where = deployment.region_flags
    update = gcloud("beta run services update", deployment.service("container"), "--default-url", *where)
    return fail(name, f"Pub/Sub pushes to {url}, but its URLs are {shown}", update.shell())


def private_check(runner: Runner, deployment: Deployment, target: Target, document: Document | str) -> Check:
    """Check that only authorised callers reach a target: DIPTYCH_PUSH_AUTH=cloud-run relies on it."""
    service = deployment.service(target)
    name = f"{service} is private"
    where = deployment.region_flags
    if isinstance(document, str):
        return skipped(name, document)
    if str(document.get("metadata", {}).get("annotations", {}).get(_OPEN_NOTE, "")).lower() == "true":
        close = _update(deployment, target, "--invoker-iam-check")
        return fail(name, "it is public: the IAM check of callers is off", close.shell())
    policy = _read(runner, gcloud("run services get-iam-policy", service, *where, JSON))
    if isinstance(policy, str):
        return skipped(name, policy)
    callers = members(policy, INVOKER)
    public = [member for member in callers if member in EVERYBODY]
    if public:
        remove = [
            gcloud(
                "run services remove-iam-policy-binding",
                service,
                *where,
                f"--member={member}",
                f"--role={INVOKER}",
            )
            for member in public
        ]
        return fail(name, f"{', '.join(public)} may call it", "\n".join(each.shell() for each in remove))
    others = [member for member in callers if member != f"serviceAccount:{deployment.account('push')}"]
    text = "only members with the role may call it"
    return ok(name, f"{text}; besides the push account: {', '.join(others)}" if others else text)


def _update(deployment: Deployment, target: Target, *flags: str) -> Command:
    where = deployment.region_flags
    return gcloud("run services update", deployment.service(target), *where, *flags)


def _read(runner: Runner, command: Command) -> Any | str:
    """Decoded output, or the reason why there is none."""
    try:
        return runner.read(command)
    except NotThere:
        return "is missing"
    except GcloudError as error:
        return str(error)


def _variables(runner: Runner, deployment: Deployment, target: Target) -> Facts:
    """The variables that do not depend on the options of deploy."""
    names = [
        "DIPTYCH_TARGET",
        "DIPTYCH_STORE_URL",
        "DIPTYCH_PUSH_AUTH",
        "DIPTYCH_PUSH_EMAIL",
        *(["DIPTYCH_PUSH_AUDIENCE"] if "PROJECT_NUMBER" in runner.variables else []),
    ]
    environment = deployment.environment(target)
    return {f"variable {name}": Command((environment[name],)).filled(runner.variables)[0] for name in names}
