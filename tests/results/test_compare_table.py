"""The comparison in the terminal: everything that it has to say is there, and fits."""

from __future__ import annotations

from results.comparison.compare import compare as compare_trials
from results.comparison.compare import compare_job, read_trials
from results.documents import JSON_TYPE, dump
from results.naming import manifest_name
from results.stores.base import Store
from results.stores.directory import DirectoryStore
from results.targets import Target
from tests.support.builders.compare_jobs import COLD, entries, put, put_manifest, put_trial, text_of
from tests.support.builders.pictures import JOB, manifest


def test_one_job_is_told_whole(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=16)
    put(directory_store, 0, "container", 6.0, **COLD)
    put(directory_store, 1, "container", 2.0, rss_peak_bytes=500 * 2**20)
    put(directory_store, 2, "container", 4.0)
    put(directory_store, 3, "container", 99.0, images_found=2, images_painted=2)
    put(directory_store, 0, "function", 8.0, **COLD)
    put(directory_store, 1, "function", 1.0, images=entries([4]))
    put(directory_store, 2, "function", 1.0, threads=2)
    text = text_of(compare_job(directory_store, JOB))
    for part in (
        "gunicorn against functions-framework on this machine",
        "job job-a: 16 images of faces-64; one run: descriptive",
        "container: 1 of 4 tasks left out",
        "not equal: threads: container 1, function 1 or 2",
        "2.00–4.00 s",
        "500 MiB",
        "without load",
        "(0%–49%)",
        "container: not estimable from 2 warm tasks: p50 (6 needed), p90 (36), p95 (72), p99 (368)",
        "container and function have no image in common",
    ):
        assert part in text
    ratio = next(line for line in text.splitlines() if "round trip" in line and "2.83" in line)
    # Pairs, the root of 2 × 4, and the spread of the two.
    assert ratio.split()[2:5] == ["2", "2.83", "1.63"]


def test_trials_are_told_with_their_verdicts(directory_store: DirectoryStore) -> None:
    names = [put_trial(directory_store, number, effect=0.2) for number in range(20)]
    jobs = read_trials(directory_store, names)
    text = text_of(compare_trials(directory_store, jobs), 80)
    assert "20 jobs, trial-00 to trial-19: 16 images of faces-64 each; 20 trials" in text
    assert "container faster" in text
    assert "Holm over quantities; margin 5%" in " ".join(text.split())
    assert "…" not in text


def test_a_job_without_records_has_dashes(store: Store) -> None:
    store.create(manifest_name(JOB), dump(manifest(targets=("function",))), JSON_TYPE)
    assert "–" in text_of(compare_job(store, JOB))


def test_three_targets_fit_eighty_columns(directory_store: DirectoryStore) -> None:
    targets: tuple[Target, ...] = ("container", "function", "celery")
    put_manifest(directory_store, targets=targets)
    for number, target in enumerate(targets):
        put(directory_store, 0, target, 4.0 / 2**number)
    text = text_of(compare_job(directory_store, JOB), 80)
    # Each target has served one warm task: no column for cold ones, so that nothing is cut short.
    assert ("cold" in text.splitlines()[3], text.splitlines()[4].split(), "…" in text) == (
        False,
        ["warm"] * 3,
        False,
    )


def test_a_record_does_not_steer_the_terminal(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=4)
    put(directory_store, 0, "container", 3.0, cpu_model="[bold]a\x1b[31m")
    put(directory_store, 0, "function", 3.0)
    text = text_of(compare_job(directory_store, JOB))
    assert "\x1b" not in text
    assert "cpu_model: container [bold]a\ufffd[31m, function A CPU" in text
