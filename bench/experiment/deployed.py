"""An experiment between deployed targets: what can be asked of them from outside, and what cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.cloud.targets import DeployedTarget, deployed_store, deployed_target
from bench.errors import BenchError
from bench.experiment.plan import Deployed, Experiment

_OF_RECORDS: Final = ("process_s", "cpu_s_per_image")


def deployed_experiment(
    experiment: Experiment, where: str, *, account: str = "", project: str = ""
) -> Experiment:
    """The experiment as `--cloud` runs it.

    Args:
        experiment: of the file.
        where: the file, for errors.
        account: beats the file's; "": not given.
        project: likewise.
    Raises:
        BenchError: it names no deployed targets, or asks what they cannot be asked.
    """
    named = experiment.deployed
    if named is None:
        raise BenchError(
            f"{where}: --cloud needs a table [deployed.urls] with the address of each target;"
            " docs/experiment.md shows the form"
        )
    if experiment.question.phase == "cold":
        raise BenchError(
            f'{where}: question.phase = "cold": nobody outside can have a deployed service start a fresh'
            " instance when asked, so there are no pairs of cold starts; `diptych bench cold --cloud` waits"
            " for them"
        )
    metric = experiment.question.metric
    if metric in _OF_RECORDS and not named.store:
        raise BenchError(
            f'{where}: question.metric = "{metric}" is in records: name deployed.store, gs://BUCKET'
        )
    deployed = Deployed(
        urls=named.urls, store=named.store, account=account or named.account, project=project or named.project
    )
    return experiment.model_copy(update={"deployed": deployed})


def local_experiment(experiment: Experiment) -> Experiment:
    """The experiment as it is run on this machine."""
    return experiment.model_copy(update={"deployed": None})


def reach(experiment: Experiment, owned: Sequence[str]) -> dict[str, DeployedTarget]:
    """The deployed targets, by name; none of an experiment on this machine.

    Args:
        experiment: see `deployed_experiment`.
        owned: hosts that are the user's.
    Raises:
        BenchError: one is not ours, does not answer, or there is no token; or the store cannot be read.
    """
    deployed = experiment.deployed
    if deployed is None:
        return {}
    if deployed.store:
        deployed_store(deployed.store)
    return {
        name: deployed_target(kind, deployed.urls[name], owned, deployed.account)
        for name, kind in experiment.targets.items()
    }
