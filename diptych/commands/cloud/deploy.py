"""`diptych deploy` and `diptych destroy`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from deploy.deployment import Deployment

Command = TypeVar("Command", bound=Callable[..., Any])

_HELP: Final = {"help_option_names": ["-h", "--help"]}
_PLACE: Final = (
    click.option("--project", required=True, metavar="ID", help="The Google Cloud project."),
    click.option("--region", required=True, metavar="REGION", help="E.g. us-central1."),
    click.option("--prefix", default="diptych", show_default=True, help="Begins every name."),
    click.option("--bucket", default="", metavar="NAME", help="Of the results.  [default: PROJECT-PREFIX]"),
    click.option("--dry-run", is_flag=True, help="Print the commands as a script; needs no gcloud."),
    click.option("-y", "--yes", is_flag=True, help="Do not ask."),
)


def place_options(command: Command) -> Command:
    """The options that deploy and destroy share."""
    for option in reversed(_PLACE):
        command = option(command)
    return command


@click.command(context_settings=_HELP)
@place_options
@click.option("--min-instances", type=int, default=0, show_default=True, help="Kept warm, of each target.")
@click.option("--max-instances", type=int, default=10, show_default=True, help="The most of each target.")
@click.option("--cpu", type=int, default=1, show_default=True, help="vCPUs of an instance.")
@click.option("--memory", default="4Gi", show_default=True, help="Of an instance.")
@click.option("--model", default="", metavar="NAME", help="Load it at start, not at the first task.")
@click.option(
    "--retain-days", type=int, default=0, metavar="N", help="Delete jobs of that age.  [default: never]"
)
@click.option("--image", default="", metavar="IMAGE", help="Of the container; else it is built.")
@click.option("--env-file", type=click.Path(path_type=Path), metavar="FILE", help="Write the settings there.")
def deploy(dry_run: bool, yes: bool, env_file: Path | None, **options: Any) -> None:
    """Put the container and the function on Google Cloud, or bring them up to date.

    Asks what is there, makes what is missing and changes what differs: the same command goes on where it
    stopped. Only gcloud is used, and each command is shown.

    \b
    diptych deploy --project my-project --region us-central1 --dry-run
    diptych deploy --project my-project --region us-central1
    """
    from deploy.plan.steps import deploy_steps

    deployment = _deployment(**options)
    steps = deploy_steps(deployment)
    closing = farewell(deployment)
    if dry_run:
        from deploy.script import deploy_script

        return click.echo(deploy_script(_title(deployment), steps, closing))
    from deploy.execute import Executor
    from deploy.gcloud import Runner

    runner = Runner(tell=lambda line: click.echo(f"  | {line}", err=True))
    if not yes:
        click.confirm(f"{_title(deployment)}: {len(steps)} steps. Google bills what runs. Go on?", abort=True)
    changed = Executor(runner, lambda line: click.echo(line, err=True)).deploy(steps)
    click.echo(f"deployed: {changed} things made or changed, {len(steps)} steps in all", err=True)
    if env_file:
        env_file.write_text("\n".join(settings_lines(deployment)) + "\n")
        click.echo(f"settings written: `source {env_file}`", err=True)
    for line in closing:
        click.echo(line)
    return None


@click.command(context_settings=_HELP)
@place_options
@click.option("--delete-data", is_flag=True, help="Also the bucket, with all images and records.")
def destroy(dry_run: bool, yes: bool, delete_data: bool, **options: Any) -> None:
    """Take a deployment away. The bucket stays, with all results, unless --delete-data says otherwise.

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
        _confirm_end(deployment, delete_data)
    removed = Executor(runner, lambda line: click.echo(line, err=True)).destroy(steps)
    rest = f"; {len(steps) - removed} were not there" if removed < len(steps) else ""
    click.echo(f"removed: {removed} things{rest}")
    for line in left_behind(deployment, delete_data):
        click.echo(line)
    return None


def settings_lines(deployment: Deployment) -> list[str]:
    """What a shell must export so that the other commands use the deployment."""
    return [
        f"export DIPTYCH_STORE_URL={deployment.store_url}",
        f"export DIPTYCH_BROKER_URL={deployment.broker_url}",
    ]


def farewell(deployment: Deployment) -> list[str]:
    """What the user does next."""
    where = f"--project {deployment.project} --region {deployment.region}"
    prefix = "" if deployment.prefix == "diptych" else f" --prefix {deployment.prefix}"
    bucket = f" --bucket {deployment.bucket_name}" if deployment.bucket_name else ""
    return [
        *settings_lines(deployment),
        f"diptych doctor {where}{prefix}{bucket}",
        "diptych submit -n 16 --watch",
    ]


def left_behind(deployment: Deployment, delete_data: bool) -> list[str]:
    """What destroy does not touch."""
    project = deployment.project
    lines = [
        "left: enabled APIs, and the buckets that Google's builds made for sources"
        f" ({project}_cloudbuild, gcf-v2-sources-…, gcf-v2-uploads-…)"
    ]
    if not delete_data:
        lines.append(
            f"left: {deployment.bucket_url} with all results;"
            f" `gcloud storage rm --recursive {deployment.bucket_url}` deletes it for good"
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


def _confirm_end(deployment: Deployment, delete_data: bool) -> None:
    if not delete_data:
        click.confirm(f"Take away {_title(deployment)}? The bucket stays.", abort=True)
        return
    typed = click.prompt(
        f"All results in {deployment.bucket_url} are deleted for good. Type the bucket's name"
    )
    if typed != deployment.bucket:
        raise click.ClickException(f"{typed!r} is not {deployment.bucket!r}: nothing was removed")
