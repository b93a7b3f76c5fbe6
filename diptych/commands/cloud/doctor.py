"""`diptych doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from deploy.doctor.check import Check

FAILED_EXIT: Final = 1


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--project", metavar="ID", help="Look at a deployment there, not at the stack here.")
@click.option("--region", metavar="REGION", help="Of the deployment.")
@click.option("--prefix", default="diptych", show_default=True, help="Of the deployment's names.")
@click.option("--bucket", default="", metavar="NAME", help="Of the results.  [default: PROJECT-PREFIX]")
@click.option("--store", "store_url", metavar="URL", help="Of a stack here.  [default: the running stack's]")
@click.option("--model", default=None, metavar="NAME", help="That jobs take.  [default: the default model]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def doctor(project: str | None, region: str | None, as_json: bool, **options: Any) -> None:
    """Check that everything is set up as it must be, and say what mends it. Nothing is changed.

    \b
    diptych doctor                                           the stack on this machine
    diptych doctor --project my-project --region us-central1 a deployment

    Exit code 1 if a check failed.
    """
    from deploy.doctor.check import summary

    if (project is None) != (region is None):
        raise click.UsageError("a deployment is named by --project and --region together")
    found = []
    checks = _of_stack(**options) if project is None else _of_cloud(project, region or "", **options)
    for check in checks:
        found.append(check)
        if not as_json:
            for line in check.as_lines():
                click.echo(line)
    if as_json:
        import json

        click.echo(json.dumps([check.as_dict() for check in found], ensure_ascii=False))
    else:
        click.echo(summary(found))
    if any(check.status == "fail" for check in found):
        click.get_current_context().exit(FAILED_EXIT)


def _of_stack(prefix: str, bucket: str, store_url: str | None, model: str | None) -> Iterator[Check]:
    from deploy.doctor.examine import examine_stack
    from pipeline.config.run_file import find_run_file
    from pipeline.config.settings import load_settings

    if prefix != "diptych" or bucket:
        raise click.UsageError("--prefix and --bucket belong to a deployment: give --project and --region")
    settings = load_settings(use_run_file=True, store_url=store_url)
    return examine_stack(find_run_file(), settings, model or settings.default_model)


def _of_cloud(
    project: str, region: str, prefix: str, bucket: str, store_url: str | None, model: str | None
) -> Iterator[Check]:
    from deploy.deployment import Deployment
    from deploy.doctor.examine import examine_cloud
    from deploy.gcloud import Runner
    from pipeline.config.settings import load_settings

    if store_url:
        raise click.UsageError("--store is of a stack here; a deployment's store is its --bucket")
    deployment = Deployment(project=project, region=region, source="none", prefix=prefix, bucket_name=bucket)
    settings = load_settings()
    return examine_cloud(Runner(), deployment, settings, model or settings.default_model)
