"""`diptych model import`: convert one of the four published zoo models to a checkpoint."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from diptych.commands.model.options import model_dir_option, require_model_dir
from diptych.commands.options import require_extra


@click.command(name="import")
@click.argument("source", metavar="zoo:NAME|FILE")
@click.option("--name", help="Name to register it under.  [default: the zoo's, e.g. celebahq-512]")
@click.option("--float32", is_flag=True, help="Keep the weights in fp32, at twice the size.")
@click.option("--force", is_flag=True, help="Replace an existing model of that name.")
@model_dir_option
def import_(source: str, name: str | None, float32: bool, force: bool, model_dir: Path | None) -> None:
    """Import a published Progressive GAN of pytorch_GAN_zoo: download, verify and convert it.

    \b
    zoo:celebahq-512   zoo:celebahq-256   zoo:celeba-128   zoo:dtd-128

    The import needs torch (pip install -e '.[train]'); generating does not.
    """
    require_extra("train")
    from model.adding.zoo import ZOO, convert, identify
    from model.checkpoint import save_checkpoint

    folder = require_model_dir(model_dir)
    zoo_name = source.removeprefix("zoo:")
    # Checked before the download of some 100 MB; a local file is identified by its hash.
    chosen = name or (zoo_name if zoo_name != source and zoo_name in ZOO else None)
    target = _target(folder, chosen, force=force) if chosen else None
    with tempfile.TemporaryDirectory(prefix="diptych-zoo-") as temporary:
        file = Path(source) if zoo_name == source else _download(zoo_name, Path(temporary))
        target = target or _target(folder, identify(file), force=force)
        weights, config = convert(file, target.stem)
    digest = save_checkpoint(target, weights, config, half=not float32)
    click.echo(f"{target} {digest}")
    side = config.resolution
    click.echo(f"{target.stem}: {side}x{side}, {config.parameters:,} weights; {config.licence}")
    click.echo(f"`diptych model gate {target}` measures bf16 and int8", err=True)


def _target(folder: Path, name: str, *, force: bool) -> Path:
    """The file to write. Raises UsageError for a bad or existing name."""
    from model.descriptor import SUFFIX as DESCRIPTOR_SUFFIX
    from results.naming import check_name

    try:
        target = folder / f"{check_name(name)}.safetensors"
    except ValueError as error:
        raise click.UsageError(f"--name: {error}") from None
    added = folder / f"{name}{DESCRIPTOR_SUFFIX}"
    if added.exists():  # it would hide the checkpoint
        raise click.UsageError(f"model {name} exists already, in {added}: see `diptych model remove {name}`")
    if target.exists() and not force:
        raise click.UsageError(f"{target} exists already; --force replaces it")
    return target


def _download(name: str, folder: Path) -> Path:
    from rich.console import Console
    from rich.progress import Progress

    from model.adding.zoo import fetch

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(name, total=None)
        return fetch(name, folder, lambda done, total: bar.update(task, completed=done, total=total or None))
