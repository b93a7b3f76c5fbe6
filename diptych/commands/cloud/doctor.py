"""`diptych doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from diptych.commands.options import json_option, url_option

if TYPE_CHECKING:
    from deploy.doctor.check import Check

FAILED_EXIT: Final = 1


@click.command()
@click.option("--project", metavar="ID", help="Check a deployment in this project, not the local stack.")
@click.option("--region", metavar="REGION", help="Region of the deployment.")
@click.option(
    "--prefix", default="diptych", show_default=True, help="Prefix of the deployment's resource names."
)
@click.option(
    "--bucket", default="", metavar="NAME", help="Bucket of the results.  [default: PROJECT-PREFIX]"
)
@url_option("--store", "Store of the local stack.  [default: the running stack's]")
@click.option(
    "--model", default=None, metavar="NAME", help="Model that jobs use.  [default: the default model]"
)
@json_option
def doctor(project: str | None, region: str | None, as_json: bool, **options: Any) -> None:
    """Check the setup and show how to repair it. Nothing is changed.

    \b
    diptych doctor                                           check the stack on this machine
    diptych doctor --project my-project --region us-central1 check a deployment

    Exit code 1 if a check failed.
    """
    from deploy.doctor.check import summary

    if (project is None) != (region is None):
        raise click.UsageError("give --project and --region together")
    results = []
    checks = _of_stack(**options) if project is None else _of_cloud(project, region or "", **options)
    for check in checks:
        results.append(check)
        if not as_json:
            for line in check.as_lines():
                click.echo(line)
    if as_json:
        import json

        click.echo(json.dumps([check.as_dict() for check in results], ensure_ascii=False))
    else:
        click.echo(summary(results))
    if any(check.status == "fail" for check in results):
        click.get_current_context().exit(FAILED_EXIT)


def _of_stack(prefix: str, bucket: str, store_url: str | None, model: str | None) -> Iterator[Check]:
    from deploy.doctor.examine import examine_stack
    from pipeline.config.run_file import find_run_file
    from pipeline.config.settings import load_settings

    if prefix != "diptych" or bucket:
        raise click.UsageError("--prefix and --bucket are for a deployment: give --project and --region too")
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
        raise click.UsageError("--store is for the local stack; the store of a deployment is its --bucket")
    deployment = Deployment(project=project, region=region, source="none", prefix=prefix, bucket_name=bucket)
    settings = load_settings()
    return examine_cloud(Runner(), deployment, settings, model or settings.default_model)
