"""Ways in which a deployment goes wrong, and what doctor says of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.deploy.conftest import FakeProject
from tests.support.cloud.fake_workers import BOOST, OPEN

SERVICE = "run services/diptych-container"
FUNCTION = "functions/diptych-function"
BELOW = "run services/diptych-function"
PUSHED = "pubsub subscriptions/diptych-container"
TRIGGERED = "pubsub subscriptions/eventarc-us-central1-diptych-function-sub-1"
BUCKET = "storage buckets/gs://my-project-diptych"
SPEC = "spec__template__spec"


@dataclass(frozen=True)
class Drift:
    """Something that somebody has changed.

    Args:
        what: in a word.
        make: changes it.
        check: the check that finds it.
        says: part of what it says.
        status: how bad it is.
    """

    what: str
    make: Callable[[FakeProject], None]
    check: str
    says: str
    status: str = "fail"


def edited(key: str, **changes: object) -> Callable[[FakeProject], None]:
    return lambda project: project.edit(key, **changes)


def without(key: str) -> Callable[[FakeProject], None]:
    def remove(project: FakeProject) -> None:
        things = project.things
        del things[key]
        project.write(things)

    return remove


def open_to_all(key: str) -> Callable[[FakeProject], None]:
    def grant(project: FakeProject) -> None:
        things = project.things
        things[f"{key}/bindings"].append({"role": "roles/run.invoker", "members": ["allUsers"]})
        project.write(things)

    return grant


def without_variable(name: str) -> Callable[[FakeProject], None]:
    def remove(project: FakeProject) -> None:
        things = project.things
        container = things[SERVICE]["spec"]["template"]["spec"]["containers"][0]
        container["env"] = [each for each in container["env"] if each["name"] != name]
        project.write(things)

    return remove


DRIFTS = (
    Drift(
        "ack deadline",
        edited(PUSHED, ackDeadlineSeconds=10),
        "subscription diptych-container",
        "ack deadline is 10 s, not 600 s",
    ),
    Drift(
        "no dead letters",
        edited(PUSHED, deadLetterPolicy={}),
        "subscription diptych-container",
        "dead-letter topic is none, not diptych-dead-letters",
    ),
    Drift(
        "another filter",
        edited(PUSHED, filter="attributes:other"),
        "subscription diptych-container",
        "filter is attributes:other, not attributes:target_container",
    ),
    Drift(
        "no token",
        edited(PUSHED, pushConfig__oidcToken={}),
        "subscription diptych-container",
        "push account is none",
    ),
    Drift(
        "the trigger's retention",
        edited(TRIGGERED, messageRetentionDuration="86400s"),
        "the trigger's subscription: deadline, retries, retention, dead letters",
        "retention is 86400 s, not 604800 s",
    ),
    Drift(
        "dead letters may not be published",
        without("pubsub topics/diptych-dead-letters/bindings"),
        "Pub/Sub may publish to diptych-dead-letters",
        "not granted",
    ),
    Drift(
        "dead letters may not be taken",
        without(f"{PUSHED}/bindings"),
        "Pub/Sub may take dead letters from diptych-container",
        "not granted",
    ),
    Drift(
        "dead letters may not be taken from the trigger",
        without(f"{TRIGGERED}/bindings"),
        "Pub/Sub may take dead letters from the trigger's subscription",
        "not granted",
    ),
    Drift(
        "no dead-letter pull subscription",
        without("pubsub subscriptions/diptych-dead-letters-pull"),
        "subscription diptych-dead-letters-pull",
        "is missing",
    ),
    Drift(
        "retries",
        edited(FUNCTION, eventTrigger__retryPolicy="RETRY_POLICY_DO_NOT_RETRY"),
        "retries of the function",
        "are off: a task that fails once is lost",
    ),
    Drift(
        "the function's timeout",
        edited(FUNCTION, serviceConfig__timeoutSeconds=60),
        "function diptych-function",
        "timeout is 60 s, not 540 s",
    ),
    Drift(
        "the function does not stand",
        edited(FUNCTION, state="FAILED"),
        "function diptych-function",
        "state is FAILED, not ACTIVE",
    ),
    Drift(
        "concurrency",
        edited(SERVICE, **{f"{SPEC}__containerConcurrency": 80}),
        "Cloud Run service diptych-container",
        "concurrency is 80, not 1",
    ),
    Drift(
        "timeout",
        edited(SERVICE, **{f"{SPEC}__timeoutSeconds": 300}),
        "time limits",
        "worker 500 s, platform 300 s, ack deadline 600 s: each must be less than the next",
    ),
    Drift(
        "probe",
        edited(SERVICE, **{f"{SPEC}__containers__0__startupProbe": {}}),
        "Cloud Run service diptych-container",
        "start-up probe is none, not /health/ready",
    ),
    Drift(
        "boost",
        edited(SERVICE, spec__template__metadata__annotations={BOOST: "false"}),
        "Cloud Run service diptych-container",
        "CPU boost is false, not true",
    ),
    Drift(
        "another account",
        edited(SERVICE, **{f"{SPEC}__serviceAccountName": "1-compute@developer.gserviceaccount.com"}),
        "Cloud Run service diptych-container",
        "service account is 1-compute@",
    ),
    Drift(
        "a revision that does not start",
        edited(SERVICE, status__conditions=[{"type": "Ready", "status": "False"}]),
        "Cloud Run service diptych-container",
        "state is failed, not ready",
    ),
    Drift(
        "no push authentication",
        without_variable("DIPTYCH_PUSH_AUTH"),
        "Cloud Run service diptych-container",
        "variable DIPTYCH_PUSH_AUTH is none, not cloud-run",
    ),
    Drift(
        "another memory",
        edited(SERVICE, **{f"{SPEC}__containers__0__resources__limits__memory": "2Gi"}),
        "equal resources",
        "memory 2 GiB and 4 GiB: no fair comparison",
        "warn",
    ),
    Drift(
        "no boost of the function",
        edited(BELOW, spec__template__metadata__annotations={BOOST: "false"}),
        "equal resources",
        "CPU boost true and false",
        "warn",
    ),
    Drift(
        "everybody may call",
        open_to_all(SERVICE),
        "diptych-container is private",
        "allUsers may call it",
    ),
    Drift(
        "everybody may call the function",
        open_to_all(BELOW),
        "diptych-function is private",
        "allUsers may call it",
    ),
    Drift(
        "nobody checks who calls",
        edited(SERVICE, **{f"metadata__annotations__{OPEN}": "true"}),
        "diptych-container is private",
        "the IAM check of callers is off",
    ),
    Drift(
        "another address",
        edited(SERVICE, metadata__annotations={}),
        "address of the container",
        "but its URLs are https://diptych-container-hash-uc.a.run.app",
    ),
    Drift(
        "expiry",
        edited(BUCKET, lifecycle_config={"rule": [{"action": {"type": "Delete"}, "condition": {"age": 7}}]}),
        "expiry of results",
        "objects are deleted after 7 days",
        "warn",
    ),
    Drift(
        "an open bucket",
        edited(BUCKET, public_access_prevention="inherited"),
        "bucket my-project-diptych",
        "public access prevention is inherited, not enforced",
    ),
    Drift("an API", edited("", apis=["run.googleapis.com"]), "APIs", "not enabled: artifactregistry"),
)
