"""The steps of a deployment, in order."""

from __future__ import annotations

from deploy.deployment import Deployment
from deploy.plan.container import container_steps
from deploy.plan.foundation import foundation_steps
from deploy.plan.function import function_steps
from deploy.steps import Step


def deploy_steps(deployment: Deployment) -> list[Step]:
    """All steps: the foundation, the container, the function."""
    return [*foundation_steps(deployment), *container_steps(deployment), *function_steps(deployment)]
