"""`diptych model push`."""

from __future__ import annotations

from pathlib import Path

import click

from diptych.commands.model.options import model_dir_option, name_argument
from diptych.commands.options import (
    print_json,
    settings_of,
    store_of,
    store_options,
)


@click.command()
@name_argument
@model_dir_option
@store_options
def push(name: str, model_dir: Path | None, as_json: bool, store_url: str | None) -> None:
    """Upload a model's checkpoint to the store, where workers that lack it download it.

    Each worker downloads it once, verifies its hash and caches it: nothing is rebuilt or redeployed. `diptych
    submit` uploads checkpoints by itself.

    \b
    diptych model push my-faces --store gs://my-bucket/diptych
    """
    from diptych.commands.jobs.output import megabytes, push_bar
    from model.registry import Registry
    from pipeline.models.push import push_model

    settings = settings_of(store_url=store_url, model_dir=model_dir)
    model = Registry(settings.model_dir).get(name)
    store = store_of(settings, may_be_new=True)
    pushed_bytes = push_model(store, model, push_bar(model))
    if as_json:
        report = {"name": name, "digest": model.digest, "store": store.url, "pushed_bytes": pushed_bytes}
        return print_json(report)
    if pushed_bytes:
        return click.echo(f"{name}: pushed, {megabytes(pushed_bytes)}, {model.digest[:19]} to {store.url}")
    return click.echo(f"{name}: {model.digest[:19]} is already in {store.url}")
