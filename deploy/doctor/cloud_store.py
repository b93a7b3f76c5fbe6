"""The bucket on Google Cloud: whether results expire. Steps and store checks cover the rest."""

from __future__ import annotations

from deploy.command import gcloud
from deploy.deployment import Deployment
from deploy.doctor.check import Check, ok, skipped, warn
from deploy.errors import GcloudError
from deploy.facts import bucket_facts
from deploy.gcloud import Runner
from deploy.steps import JSON


def expiry_check(runner: Runner, deployment: Deployment) -> Check:
    """Warn if a lifecycle rule deletes results."""
    name = "expiry of results"
    project = f"--project={deployment.project}"
    try:
        facts = bucket_facts(
            runner.read(gcloud("storage buckets describe", deployment.bucket_url, project, JSON))
        )
    except GcloudError as error:
        return skipped(name, str(error))
    if facts["expiry"] != "never":
        mend = gcloud("storage buckets update", deployment.bucket_url, "--clear-lifecycle", project)
        return warn(name, f"objects are deleted {facts['expiry']}", mend.shell())
    return ok(name, "never")
