"""What the commands print, and how they hold the publisher and the watch."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, TypeVar

import click

from diptych.commands.options import print_json
from producer.text import counted, listed

if TYPE_CHECKING:
    from model.registry import ModelInfo
    from pipeline.config.settings import Settings
    from producer.republish import Republication
    from producer.submit import Draft, Submission
    from producer.watch import Display
    from results.job_state import JobState
    from results.stores.base import Progress, Store

ResultT = TypeVar("ResultT")

NOT_ALL_DONE_EXIT: Final = 3
"""Exit code of `watch` and `submit --watch` when a job ended partial, failed or cancelled."""


def push_bar(model: ModelInfo) -> Progress | None:
    """A progress bar for the push of a model, drawn once something is on its way; None without a terminal."""
    if not sys.stderr.isatty():
        return None
    size_bytes = model.path.stat().st_size
    bar = click.progressbar(length=size_bytes, label=f"pushing {model.name}", file=sys.stderr)

    def show(sent_bytes: int) -> None:
        # A part that has to be sent again does not draw the bar back.
        bar.update(max(sent_bytes - bar.pos, 0))
        if sent_bytes >= size_bytes:
            bar.render_finish()

    return show


def megabytes(size_bytes: int) -> str:
    """E.g. "46.1 MB"."""
    return f"{size_bytes / 1e6:.1f} MB"


def print_lines(lines: Iterable[str]) -> None:
    """Print lines for people."""
    for line in lines:
        click.echo(line)


def show_plan(draft: Draft, as_json: bool) -> None:
    """Print what a submission would do."""
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
            f"{counted(plan.task_count, 'task')} per target, of {plan.images_per_task} images",
            f"about {_duration(plan.work_s)} of work on one vCPU, per target",
            "dry run: nothing was written or published",
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
            f"pushed {manifest.model} ({megabytes(submission.pushed_bytes)}) to the store: workers fetch it"
            " from there",
            err=True,
        )
    if submission.created:
        note = (
            f"submitted: {counted(manifest.count, 'image')}, seed {manifest.seed},"
            f" {counted(manifest.task_count, 'task')} for {listed(manifest.targets)}"
        )
    else:
        note = "this job is already there, with the same request"
    click.echo(note, err=True)
    if submission.unpublished:
        click.echo(
            f"{submission.unpublished:,} of its tasks never reached the broker:"
            f" `diptych resume {manifest.job_id}` publishes them",
            err=True,
        )
    return click.echo(manifest.job_id)


def show_republication(
    job_id: str, done: Republication, as_json: bool, nothing: str, again: bool = False
) -> None:
    """Print what a resume or retry published.

    Args:
        job_id: the job.
        done: what was published.
        as_json: for scripts.
        nothing: what to say when that was nothing.
        again: all of it had been published before, as with retry.
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


def watch_job(settings: Settings, store: Store, job_id: str, as_json: bool) -> None:
    """Follow a job and end the command: exit code 0 if all was made, else NOT_ALL_DONE_EXIT."""
    from pipeline.config.run_file import find_run_file
    from producer.fault_notices import FaultNotices
    from producer.job_view import job_as_dict, job_as_lines
    from producer.stack_health import job_faults
    from producer.watch import watch
    from results.job_state import JobState, JobStatus, load_manifest

    state = JobState(store, load_manifest(store, job_id))
    display = FaultNotices(
        _display(store, as_json),
        lambda: job_faults(settings, JobState.of(store, job_id), find_run_file()),
        lambda line: click.echo(f"! {line}", err=True),
    )
    try:
        watch(state, display)
    except KeyboardInterrupt:
        click.echo(f"the job goes on; `diptych watch {job_id}` takes the watch up again", err=True)
        raise
    if not as_json:
        print_lines(job_as_lines(job_as_dict(store, state)))
    if state.status is not JobStatus.SUCCEEDED:
        click.get_current_context().exit(NOT_ALL_DONE_EXIT)


def _display(store: Store, as_json: bool) -> Display:
    from producer.watch import Bars, PlainLines

    if as_json:
        return PlainLines(click.echo, lambda state: _json_line(store, state), every_s=0.0)
    if sys.stdout.isatty():
        return Bars()
    return PlainLines(click.echo, plain_line)


def _json_line(store: Store, state: JobState) -> str:
    import json

    from producer.job_view import job_as_dict

    view = job_as_dict(store, state)
    # What changes by itself would make every look at the store a line.
    del view["idle_s"]
    return json.dumps(view, ensure_ascii=False, separators=(",", ":"))


def plain_line(state: JobState) -> str:
    parts = []
    for target, part in state.targets.items():
        counts = part.counts()
        lost = counts.failed + counts.dead
        parts.append(
            f"{target} {counts.images_done:,}/{counts.images:,}"
            + (f" (tasks failed: {lost})" if lost else "")
        )
    return f"{state.manifest.job_id} {state.status}: {', '.join(parts)}"


def _duration(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.1f} seconds"
