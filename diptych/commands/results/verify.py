"""`diptych results verify`: generate pictures again from their provenance and compare them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from diptych.commands.options import (
    print_json,
    settings_of,
    store_of,
    store_options,
    target_option,
)
from diptych.commands.results.job import chosen_targets, open_job
from diptych.commands.results.progress import progress_bar
from producer.text import counted

if TYPE_CHECKING:
    from pipeline.verification.job_images import JobPictures
    from pipeline.verification.verifier import Candidate, ImageFinding, VerifiedImage

MISMATCH_EXIT: Final = 1


@click.command(short_help="Generate pictures again and compare.")
@click.argument("what", metavar="FILE.png|JOB", nargs=-1, required=True)
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="K", help="Verify only K random pictures of a job."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random sample.")
@click.option("--exact", is_flag=True, help="Require equal pixels, also across machines.")
@target_option
@store_options
def verify(
    what: tuple[str, ...],
    sample: int | None,
    seed: int,
    exact: bool,
    targets: tuple[str, ...],
    as_json: bool,
    store_url: str | None,
) -> None:
    """Generate pictures again from the provenance in their PNGs and compare. Exit code 1 if any differs.

    Pixels must be equal where engine, its version, precision and the CPU's instruction set are; elsewhere
    40 dB PSNR is enough. A job's files must also have the hashes in its records. The model is
    found by its digest: in the registry, else in the store.

    \b
    diptych results verify 00000012.png
    diptych results verify my-batch --sample 20 --target function
    """
    from pipeline.verification.regenerator import Regenerator
    from pipeline.verification.verifier import Verifier

    files = [text for text in what if _is_file(text)]
    if not files and len(what) > 1:
        raise click.UsageError("give PNG files, or one JOB")
    if files and (len(files) < len(what) or sample or targets):
        raise click.UsageError("--sample and --target go with a JOB; files and a JOB are verified apart")
    settings = settings_of(store_url=store_url)
    pictures: JobPictures | None = None
    candidates: Iterator[Candidate]
    if files:
        store = store_of(settings) if settings.store_url else None
        candidates = map(_read_file, files)
    else:
        pictures = _job_pictures(what[0], store_url, targets, sample, seed)
        store, candidates = pictures.store, pictures.candidates()
    verdicts = Verifier(Regenerator(settings, store)).verify(candidates)
    good = _report(verdicts, pictures, exact, as_json)
    if not good:
        click.get_current_context().exit(MISMATCH_EXIT)


def _is_file(text: str) -> bool:
    # A job's name has neither a dot nor a slash.
    return "/" in text or "." in text


def _read_file(text: str) -> Candidate:
    from pipeline.errors import RequestError
    from pipeline.verification.verifier import Candidate

    try:
        return Candidate(text, Path(text).read_bytes())
    except OSError as error:
        raise RequestError(f"{text} cannot be read: {error.strerror or error}") from error


def _job_pictures(
    job_id: str, store_url: str | None, targets: tuple[str, ...], sample: int | None, seed: int
) -> JobPictures:
    from pipeline.verification.job_images import JobPictures

    store, manifest = open_job(job_id, store_url)
    return JobPictures(store, manifest, chosen_targets(manifest, targets), sample, seed)


def _report(
    verdicts: Iterator[VerifiedImage], pictures: JobPictures | None, exact: bool, as_json: bool
) -> bool:
    """Print a line for each file, or each bad picture of a job, then a summary; True if all are good."""
    from pipeline.verification.verifier import ImageFinding

    counts: Counter[ImageFinding] = Counter()
    bad = 0
    for verdict in _with_progress(verdicts, pictures):
        good = verdict.finding.good and not (exact and verdict.finding is ImageFinding.ALIKE)
        counts[verdict.finding] += 1
        bad += not good
        if as_json:
            _print_json(verdict, good)
        elif not good or pictures is None:
            click.echo(f"{'ok' if good else 'BAD'}  {verdict.name}: {verdict.finding}: {verdict.detail}")
    damaged = pictures.damaged if pictures else []
    for line in [] if as_json else damaged:
        click.echo(f"BAD  {line}")
    checked = sum(counts.values())
    _summary(counts, checked, len(damaged), pictures, as_json)
    return not bad and not damaged and checked > 0


def _summary(
    counts: Counter[ImageFinding], checked: int, damaged: int, pictures: JobPictures | None, as_json: bool
) -> None:
    unfinished = pictures.unfinished if pictures else 0
    if as_json:
        findings = {str(finding): count for finding, count in counts.items()}
        return print_json(
            {
                "pictures": checked,
                "findings": findings,
                "damaged_records": damaged,
                "tasks_without_record": unfinished,
            }
        )
    parts = [f"{count:,} {finding}" for finding, count in counts.most_common()]
    parts += [counted(damaged, "damaged record")] if damaged else []
    parts += [f"{counted(unfinished, 'task')} not done, not looked at"] if unfinished else []
    return click.echo(f"{counted(checked, 'picture')}: {', '.join(parts) or 'nothing to verify'}")


def _print_json(verdict: VerifiedImage, good: bool) -> None:
    decibels = verdict.psnr_db
    print_json(
        {
            "name": verdict.name,
            "good": good,
            "finding": str(verdict.finding),
            "detail": verdict.detail,
            # JSON knows no infinity: equal pictures have no finite PSNR.
            "psnr_db": None if decibels is None or isinf(decibels) else round(decibels, 2),
        }
    )


def _with_progress(
    verdicts: Iterator[VerifiedImage], pictures: JobPictures | None
) -> Iterator[VerifiedImage]:
    with progress_bar("pictures", shown=pictures is not None) as advance:
        for verdict in verdicts:
            advance(total=pictures.total if pictures else None)
            yield verdict
