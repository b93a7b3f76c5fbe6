"""The container: its image, its Cloud Run service and its callers."""

from __future__ import annotations

from typing import Final

from deploy.command import gcloud
from deploy.deployment import CONCURRENCY, PORT, READY_PATH, REQUEST_TIMEOUT_S, Deployment
from deploy.facts import READY, Facts, environment_facts, memory, service_facts
from deploy.plan.subscriptions import container_subscription, dead_letter_grant, dead_letter_subscription
from deploy.steps import JSON, Ensure, Step, expecting, grant
from results.targets import Target

BUILD_CONFIG: Final = "deploy/cloudbuild.yaml"
PROBE: Final = (
    f"httpGet.path={READY_PATH},httpGet.port={PORT},periodSeconds=2,timeoutSeconds=2,failureThreshold=60"
)
"""An instance that is not ready within two minutes is stopped by Cloud Run."""


def container_steps(deployment: Deployment) -> list[Step]:
    """The steps of the container, from its image to the subscriptions that push to it."""
    push, queue = deployment.account("push"), deployment.queue
    name = queue.push_subscription("container")
    return [
        *([] if deployment.image else [_image(deployment)]),
        _service(deployment),
        invoker_grant(deployment, "container"),
        grant(
            "Pub/Sub may sign tokens as the push account",
            "iam service-accounts",
            (push, f"--project={deployment.project}"),
            deployment.pubsub_agent,
            "roles/iam.serviceAccountOpenIdTokenCreator",
        ),
        container_subscription(deployment),
        dead_letter_grant(deployment, name, name),
        dead_letter_subscription(deployment),
    ]


def shared_facts(deployment: Deployment, target: Target) -> Facts:
    """The expected facts that container and function share."""
    return {
        "cpu": str(deployment.cpu),
        "memory": memory(deployment.memory),
        "concurrency": str(CONCURRENCY),
        "timeout": f"{REQUEST_TIMEOUT_S} s",
        "min instances": str(deployment.min_instances),
        "max instances": str(deployment.max_instances),
        "service account": deployment.account(target),
        **environment_facts(deployment.environment(target)),
    }


def shared_flags(deployment: Deployment, target: Target) -> tuple[str, ...]:
    """Flags of both `run deploy` and `functions deploy`, with equal values for a fair comparison."""
    variables = ",".join(f"{name}={value}" for name, value in deployment.environment(target).items())
    return (
        f"--cpu={deployment.cpu}",
        f"--memory={deployment.memory}",
        f"--concurrency={CONCURRENCY}",
        f"--timeout={REQUEST_TIMEOUT_S}s",
        f"--min-instances={deployment.min_instances}",
        f"--max-instances={deployment.max_instances}",
        f"--service-account={deployment.account(target)}",
        "--no-allow-unauthenticated",
        f"--set-env-vars={variables}",
    )


def container_facts(deployment: Deployment) -> Facts:
    """The expected facts of the container's service."""
    return {
        **shared_facts(deployment, "container"),
        "CPU boost": "true",
        "start-up probe": READY_PATH,
        "image": deployment.container_image,
        "state": READY,
    }


def invoker_grant(deployment: Deployment, target: Target) -> Ensure:
    """Allow the push account to call a target's service."""
    name = deployment.service(target)
    return grant(
        f"the push account may call {name}",
        "run services",
        (name, *deployment.region_flags),
        deployment.account("push"),
        "roles/run.invoker",
    )


def describe_service(deployment: Deployment, target: Target) -> tuple[str, ...]:
    """Arguments that describe a target's service."""
    return (deployment.service(target), *deployment.region_flags, JSON)


def _image(deployment: Deployment) -> Ensure:
    project = f"--project={deployment.project}"
    account = f"projects/{deployment.project}/serviceAccounts/{deployment.account('build')}"
    return Ensure(
        title=f"image container:{deployment.source}",
        find=gcloud("artifacts docker images describe", deployment.built_image, project, JSON),
        make=gcloud(
            "builds submit",
            ".",
            f"--config={BUILD_CONFIG}",
            f"--substitutions=_IMAGE={deployment.built_image},_TARGET=container",
            f"--service-account={account}",
            f"--region={deployment.region}",
            project,
        ),
        patient=True,
        tailored=True,
    )


def _service(deployment: Deployment) -> Ensure:
    deploy = gcloud(
        "run deploy",
        deployment.service("container"),
        f"--image={deployment.container_image}",
        f"--region={deployment.region}",
        f"--port={PORT}",
        *shared_flags(deployment, "container"),
        f"--startup-probe={PROBE}",
        "--cpu-boost",
        f"--project={deployment.project}",
    )
    return Ensure(
        title=f"Cloud Run service {deployment.service('container')}",
        find=gcloud("run services describe", *describe_service(deployment, "container")),
        make=deploy,
        change=deploy,
        lacks=expecting(container_facts(deployment), service_facts),
        patient=True,
        tailored=True,
    )
