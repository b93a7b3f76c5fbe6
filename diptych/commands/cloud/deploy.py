"""`diptych deploy` and `diptych destroy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diptych.commands.options import all_options, default_option

if TYPE_CHECKING:
    from deploy.deployment import Deployment

place_options = all_options(
    click.option("--project", required=True, metavar="ID", help="Google Cloud project."),
    click.option("--region", required=True, metavar="REGION", help="Region, e.g. us-central1."),
    click.option("--prefix", default="diptych", show_default=True, help="Prefix of every resource name."),
    click.option(
        "--bucket", default="", metavar="NAME", help="Bucket of the results.  [default: PROJECT-PREFIX]"
    ),
    click.option("--dry-run", is_flag=True, help="Print the commands as a script; gcloud is not needed."),
    click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation."),
)
"""What deploy and destroy share."""


@click.command()
@place_options
@default_option("--min-instances", int, 0, "Instances kept warm per target.")
@default_option("--max-instances", int, 10, "Maximum instances per target.")
@click.option("--cpu", type=int, default=1, show_default=True, help="vCPUs per instance.")
@click.option("--memory", default="4Gi", show_default=True, help="Memory per instance.")
@click.option(
    "--model", default="", metavar="NAME", help="Model to load at start instead of at the first task."
)
@click.option(
    "--retain-days", type=int, default=0, metavar="N", help="Delete jobs after N days.  [default: never]"
)
@click.option(
    "--image",
    default="",
    metavar="IMAGE",
    help="Container image to deploy.  [default: built from the sources]",
)
@click.option(
    "--env-file", type=click.Path(path_type=Path), metavar="FILE", help="File to write the settings to."
)
def deploy(dry_run: bool, yes: bool, env_file: Path | None, **options: Any) -> None:
    """Deploy the container and the function to Google Cloud, or update them.

    Checks the existing resources, creates missing ones and updates those that differ. After a failure, run
    the same command again. It uses gcloud alone and prints each command.

    \b
    diptych deploy --project my-project --region us-central1 --dry-run
    diptych deploy --project my-project --region us-central1
    """
    from deploy.plan.steps import deploy_steps

    deployment = _deployment(**options)
    steps = deploy_steps(deployment)
    next_lines = next_steps(deployment)
    if dry_run:
        from deploy.script import deploy_script

        return click.echo(deploy_script(_title(deployment), steps, next_lines))
    from deploy.execute import Executor
    from deploy.gcloud import Runner

    runner = Runner(tell=lambda line: click.echo(f"  | {line}", err=True))
    if not yes:
        click.confirm(
            f"{_title(deployment)}: {len(steps)} steps. Google bills for running resources. Continue?",
            abort=True,
        )
    changed = Executor(runner, lambda line: click.echo(line, err=True)).deploy(steps)
    click.echo(f"deployed: {changed} resources created or changed, in {len(steps)} steps", err=True)
    if env_file:
        env_file.write_text("\n".join(settings_lines(deployment)) + "\n")
        click.echo(f"settings written: `source {env_file}`", err=True)
    for line in next_lines:
        click.echo(line)
    return None


@click.command()
@place_options
@click.option("--delete-data", is_flag=True, help="Also delete the bucket with all images and records.")
def destroy(dry_run: bool, yes: bool, delete_data: bool, **options: Any) -> None:
    """Remove a deployment.

    The bucket and all results are kept, unless --delete-data is given.

    \b
    diptych destroy --project my-project --region us-central1 --dry-run
    """
    from deploy.deployment import Deployment
    from deploy.plan.removal import destroy_steps

    deployment = Deployment(
        project=options["project"],
        region=options["region"],
        source="none",
        prefix=options["prefix"],
        bucket_name=options["bucket"],
    )
    steps = destroy_steps(deployment, delete_data=delete_data)
    if dry_run:
        from deploy.script import destroy_script

        return click.echo(destroy_script(_title(deployment), steps))
    from deploy.execute import Executor
    from deploy.gcloud import Runner

    runner = Runner(tell=lambda line: click.echo(f"  | {line}", err=True))
    if not yes:
        _confirm_removal(deployment, delete_data)
    removed = Executor(runner, lambda line: click.echo(line, err=True)).destroy(steps)
    rest = f"; {len(steps) - removed} did not exist" if removed < len(steps) else ""
    click.echo(f"removed: {removed} resources{rest}")
    for line in left_behind(deployment, delete_data):
        click.echo(line)
    return None


def settings_lines(deployment: Deployment) -> list[str]:
    """The exports with which other commands use the deployment."""
    return [
        f"export DIPTYCH_STORE_URL={deployment.store_url}",
        f"export DIPTYCH_BROKER_URL={deployment.broker_url}",
    ]


def next_steps(deployment: Deployment) -> list[str]:
    """The settings, and the commands to run next."""
    where = f"--project {deployment.project} --region {deployment.region}"
    prefix = "" if deployment.prefix == "diptych" else f" --prefix {deployment.prefix}"
    bucket = f" --bucket {deployment.bucket_name}" if deployment.bucket_name else ""
    return [
        *settings_lines(deployment),
        f"diptych doctor {where}{prefix}{bucket}",
        "diptych submit -n 16 --watch",
    ]


def left_behind(deployment: Deployment, delete_data: bool) -> list[str]:
    """The resources that destroy keeps."""
    project = deployment.project
    lines = [
        "kept: enabled APIs, and the source buckets that Google's builds created"
        f" ({project}_cloudbuild, gcf-v2-sources-…, gcf-v2-uploads-…)"
    ]
    if not delete_data:
        lines.append(
            f"kept: {deployment.bucket_url} with all results;"
            f" `gcloud storage rm --recursive {deployment.bucket_url}` deletes it permanently"
        )
    return lines


def _deployment(**options: Any) -> Deployment:
    from deploy.deployment import Deployment
    from deploy.source import check_model, source_digest

    bucket = options.pop("bucket")
    deployment = Deployment(**options, bucket_name=bucket, source=source_digest())
    if deployment.model:
        check_model(deployment.model)
    return deployment


def _title(deployment: Deployment) -> str:
    return f"Diptych in project {deployment.project}, region {deployment.region}"


def _confirm_removal(deployment: Deployment, delete_data: bool) -> None:
    if not delete_data:
        click.confirm(f"Remove {_title(deployment)}? The bucket is kept.", abort=True)
        return
    typed = click.prompt(
        f"All results in {deployment.bucket_url} will be deleted permanently. Type the bucket's name"
    )
    if typed != deployment.bucket:
        raise click.ClickException(f"{typed!r} is not {deployment.bucket!r}: nothing was removed")
