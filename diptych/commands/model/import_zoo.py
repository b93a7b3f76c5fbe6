"""`diptych model import`: one of the four published zoo models, as a checkpoint of ours."""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import click

from diptych.commands.options import settings_of


@click.command(name="import")
@click.argument("source", metavar="zoo:NAME|FILE")
@click.option("--name", help="The name to register it under.  [default: the zoo's, e.g. celebahq-512]")
@click.option("--float32", is_flag=True, help="Keep every bit of the weights: twice the size.")
@click.option("--force", is_flag=True, help="Replace a model of that name.")
@click.option(
    "--model-dir",
    type=click.Path(path_type=Path),
    help="Where to keep it.  [default: DIPTYCH_MODEL_DIR, or a folder of the user's]",
)
def import_(source: str, name: str | None, float32: bool, force: bool, model_dir: Path | None) -> None:
    """Import a published Progressive GAN of pytorch_GAN_zoo: download or FILE, check, convert.

    \b
    zoo:celebahq-512   zoo:celebahq-256   zoo:celeba-128   zoo:dtd-128

    Needs torch (pip install -e '.[train]'), this once; generating does not.
    """
    from model.adding.zoo import ZOO, convert, identify
    from model.checkpoint import save_checkpoint

    if find_spec("torch") is None:
        raise click.ClickException("this needs torch: pip install -e '.[train]'")
    folder = settings_of(model_dir=model_dir).model_dir
    if folder is None:
        raise click.UsageError("no folder for models: give --model-dir or DIPTYCH_MODEL_DIR")
    zoo_name = source.removeprefix("zoo:")
    # Checked before the download, which is of some 100 MB; what a file is, only its hash tells.
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
    click.echo(f"`diptych model gate {target}` measures whether bf16 and int8 will do", err=True)


def _target(folder: Path, name: str, *, force: bool) -> Path:
    """Where the model goes. Raises UsageError for a bad name, or one that is taken."""
    from model.descriptor import SUFFIX as DESCRIPTOR_SUFFIX
    from results.naming import check_name

    try:
        target = folder / f"{check_name(name)}.safetensors"
    except ValueError as error:
        raise click.UsageError(f"--name: {error}") from None
    added = folder / f"{name}{DESCRIPTOR_SUFFIX}"
    if added.exists():  # it would hide the checkpoint
        raise click.UsageError(f"there is a model {name} already, in {added}: `diptych model remove {name}`")
    if target.exists() and not force:
        raise click.UsageError(f"{target} is there already; --force replaces it")
    return target


def _download(name: str, folder: Path) -> Path:
    from rich.console import Console
    from rich.progress import Progress

    from model.adding.zoo import fetch

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(name, total=None)
        return fetch(name, folder, lambda done, total: bar.update(task, completed=done, total=total or None))
