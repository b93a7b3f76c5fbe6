"""The function: its bundle, the function itself and its trigger's subscription."""

from __future__ import annotations

from typing import Final

from deploy.command import PYTHON_PROGRAM, Command, gcloud
from deploy.deployment import PYTHON, Deployment
from deploy.facts import Facts, function_facts, subscription_facts
from deploy.plan.container import invoker_grant, shared_facts, shared_flags
from deploy.plan.subscriptions import dead_letter_grant, task_facts, task_flags
from deploy.steps import JSON, Ensure, Learn, Step, expecting

BUNDLE: Final = "build/function"
RUNTIME: Final = f"python{PYTHON.replace('.', '')}"
ENTRY_POINT: Final = "handle"


def function_steps(deployment: Deployment) -> list[Step]:
    """The steps of the function, from its bundle to its trigger's subscription."""
    name, where = deployment.service("function"), deployment.region_flags
    return [
        Ensure(
            title=f"function bundle in {BUNDLE}",
            make=Command((PYTHON_PROGRAM, "-m", "worker_function.bundle", BUNDLE)),
            repeatable=True,
        ),
        _function(deployment),
        invoker_grant(deployment, "function"),
        Learn(
            title="the function's trigger",
            variable="TRIGGER",
            ask=gcloud("functions describe", name, "--gen2", *where, "--format=value(eventTrigger.trigger)"),
            pattern=r"projects/[^/]+/locations/[^/]+/triggers/[^/]+",
        ),
        Learn(
            title="the trigger's subscription",
            variable="SUBSCRIPTION",
            ask=gcloud(
                "eventarc triggers describe",
                "${TRIGGER}",
                "--format=value(transport.pubsub.subscription)",
            ),
            pattern=r"projects/[^/]+/subscriptions/[^/]+",
        ),
        trigger_subscription(deployment),
        dead_letter_grant(deployment, "${SUBSCRIPTION}", "the trigger's subscription"),
    ]


def function_expected(deployment: Deployment) -> Facts:
    """The expected facts of the function."""
    return {
        **shared_facts(deployment, "function"),
        "state": "ACTIVE",
        "runtime": RUNTIME,
        "retries": "on",
        "topic": deployment.queue.topic,
        "trigger account": deployment.account("push"),
        "source": deployment.source,
    }


def trigger_subscription(deployment: Deployment) -> Ensure:
    """Update the subscription that Eventarc creates: one day of retention, no dead-letter topic."""
    project = f"--project={deployment.project}"
    update = gcloud("pubsub subscriptions update", "${SUBSCRIPTION}", *task_flags(deployment), project)
    return Ensure(
        title="the trigger's subscription: deadline, retries, retention, dead letters",
        find=gcloud("pubsub subscriptions describe", "${SUBSCRIPTION}", project, JSON),
        make=update,
        change=update,
        lacks=expecting(task_facts(deployment), subscription_facts),
        repeatable=True,
        patient=True,
    )


def _function(deployment: Deployment) -> Ensure:
    name = deployment.service("function")
    where = deployment.region_flags
    build = f"projects/{deployment.project}/serviceAccounts/{deployment.account('build')}"
    deploy = gcloud(
        "functions deploy",
        name,
        "--gen2",
        f"--runtime={RUNTIME}",
        f"--source={BUNDLE}",
        f"--entry-point={ENTRY_POINT}",
        f"--trigger-topic={deployment.queue.topic}",
        f"--trigger-service-account={deployment.account('push')}",
        "--retry",
        *shared_flags(deployment, "function"),
        f"--build-service-account={build}",
        f"--docker-repository={deployment.repository_path}",
        f"--update-labels=diptych-source={deployment.source}",
        *where,
    )
    return Ensure(
        title=f"function {name}",
        find=gcloud("functions describe", name, "--gen2", *where, JSON),
        make=deploy,
        change=deploy,
        lacks=expecting(function_expected(deployment), function_facts),
        patient=True,
        tailored=True,
    )
