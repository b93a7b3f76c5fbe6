"""What the job commands print."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from diptych.commands.options import print_json
from producer.text import counted, listed

if TYPE_CHECKING:
    from model.registry import ModelInfo
    from producer.republish import Republication
    from producer.submit import Draft, Submission
    from results.stores.base import Progress


def push_bar(model: ModelInfo) -> Progress | None:
    """A progress bar for a model upload, drawn once bytes are sent; None if stderr is no terminal."""
    if not sys.stderr.isatty():
        return None
    size_bytes = model.path.stat().st_size
    bar = click.progressbar(length=size_bytes, label=f"pushing {model.name}", file=sys.stderr)

    def show(sent_bytes: int) -> None:
        # Retransmitted bytes do not move the bar backwards.
        bar.update(max(sent_bytes - bar.pos, 0))
        if sent_bytes >= size_bytes:
            bar.render_finish()

    return show


def megabytes(size_bytes: int) -> str:
    """E.g. "46.1 MB"."""
    return f"{size_bytes / 1e6:.1f} MB"


def print_lines(lines: Iterable[str]) -> None:
    """Print one line each."""
    for line in lines:
        click.echo(line)


def show_plan(draft: Draft, as_json: bool) -> None:
    """Print the plan of a submission."""
    manifest, plan = draft.manifest, draft.plan
    if as_json:
        return print_json(
            {
                "job_id": manifest.job_id,
                "request": manifest.request(),
                "images_per_task": plan.images_per_task,
                "tasks_per_target": plan.task_count,
                "work_s_per_target": round(plan.work_s, 3),
                "dry_run": True,
            }
        )
    return print_lines(
        [
            f"{plan.count:,} images of {manifest.model} ({manifest.resolution}x{manifest.resolution}),"
            f" seed {manifest.seed}, for {listed(manifest.targets)}",
            f"{counted(plan.task_count, 'task')} per target, {plan.images_per_task} images each",
            f"about {_duration(plan.work_s)} of work on one vCPU, per target",
            "dry run: nothing written, nothing published",
        ]
    )


def show_submission(submission: Submission, as_json: bool) -> None:
    """Print the job's name, alone on stdout, and the rest on stderr."""
    manifest = submission.manifest
    if as_json:
        return print_json(
            {
                "job_id": manifest.job_id,
                "created": submission.created,
                "request": manifest.request(),
                "tasks_per_target": manifest.task_count,
                "messages_published": submission.messages,
                "tasks_unpublished": submission.unpublished,
                "model_pushed_bytes": submission.pushed_bytes,
            }
        )
    if submission.pushed_bytes:
        click.echo(
            f"pushed {manifest.model} ({megabytes(submission.pushed_bytes)}) to the store, where workers"
            " download it",
            err=True,
        )
    if submission.created:
        note = (
            f"submitted: {counted(manifest.count, 'image')}, seed {manifest.seed},"
            f" {counted(manifest.task_count, 'task')} for {listed(manifest.targets)}"
        )
    else:
        note = "this job already exists, with the same request"
    click.echo(note, err=True)
    if submission.unpublished:
        click.echo(
            f"{counted(submission.unpublished, 'task')} never reached the broker:"
            f" `diptych resume {manifest.job_id}` publishes them",
            err=True,
        )
    return click.echo(manifest.job_id)


def show_republication(
    job_id: str, done: Republication, as_json: bool, nothing: str, again: bool = False
) -> None:
    """Print what a resume, retry or redrive published.

    Args:
        job_id: the job.
        done: what was published.
        as_json: print JSON.
        nothing: the message if nothing was published.
        again: every task had been published before, as with retry.
    """
    if as_json:
        return print_json(
            {
                "job_id": job_id,
                "publication": done.publication,
                "messages_published": done.messages,
                "stalled": done.stalled,
                "lost": dict(done.lost),
                "given_back": done.given_back,
            }
        )
    if done.given_back:
        click.echo(f"{counted(done.given_back, 'task')} of dead workers put back onto the queue")
    if done.publication is None:
        return click.echo(f"job {job_id}: {nothing}")
    counts = {"lost": sum(done.lost.values()), "stalled": done.stalled}
    notes = [f", {count:,} of them {what}" for what, count in counts.items() if count]
    publication = "published again" if again or notes else "published"
    return click.echo(f"job {job_id}: {counted(done.messages, 'task')} {publication}{''.join(notes)}")


def _duration(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.1f} seconds"
