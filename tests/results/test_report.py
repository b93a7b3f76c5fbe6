"""The report: one file that needs nothing else, says what compare says, and runs nothing that is in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from results.comparison.compare import compare, read_trials
from results.naming import record_name
from results.report.page import report_html
from results.stores.directory import DirectoryStore
from results.targets import Target
from tests.support.builders.compare_jobs import COLD, entries, put, put_manifest, put_trial
from tests.support.builders.pictures import JOB

MADE = datetime(2026, 11, 25, tzinfo=UTC)
VOID = {"meta", "path", "use", "rect"}


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of records are written here, and none has to outlive the power."""
    monkeypatch.setattr("os.fsync", lambda _: None)


def report(store: DirectoryStore, *names: str) -> str:
    jobs = read_trials(store, names)
    return report_html(compare(store, jobs), jobs, made_at=MADE)


@pytest.fixture
def page(directory_store: DirectoryStore) -> str:
    """One job: 40 warm tasks on each target, and a cold one."""
    put_manifest(directory_store, count=4 * 41)
    targets: tuple[Target, ...] = ("container", "function")
    for target in targets:
        put(directory_store, 0, target, 9.0, **COLD, images=entries(range(4)))
        for task in range(1, 41):
            put(directory_store, task, target, 3.0 + task / 10, images=entries(range(4 * task, 4 * task + 4)))
    return report(directory_store, JOB)


class _Balance(HTMLParser):
    """Follows the open elements; anything that is not closed in order fails."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def words(page: str) -> str:
    parser = _Balance()
    parser.feed(page)
    assert parser.open == []
    return " ".join(" ".join(parser.texts).split())


def test_it_needs_nothing_else(page: str) -> None:
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href|data|action)=["'](?!#)|url\((?!#)|@import|https?://""", page)


def test_it_says_what_compare_says(page: str) -> None:
    text = words(page)
    for part in (
        "Gunicorn against functions-framework on this machine",
        "164 images of faces-64 for container and function. One run: descriptive.",
        "container and function: 164 images, equal byte for byte",
        "round trip p90",
        "p95 not estimable needs 72 tasks",
        "Not estimable from fewer than 6 tasks: container, cold: 1; function, cold: 1.",
        "failed tasks (95% interval)",
        "Made 2026-11-25 00:00 UTC",
        "Submit the job 20 times or more",
    ):
        assert part in text


def test_plots_are_inline_and_follow_the_colours_of_the_page(page: str) -> None:
    plots = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    # Distributions and boxes of four quantities, a waterfall per target, the timeline.
    assert len(plots) == 4 + 4 + 2 + 1
    names = [ElementTree.fromstring(_standing_alone(plot)).get("aria-label") for plot in plots]
    assert len({*names}) == len(plots)
    assert all(name for name in names)
    assert not re.search(r"(?:stroke|fill): #(?!0{6}|f{6})", "".join(plots))
    for variable in ("--container", "--function", "--cold", "--stage-2", "--ink"):
        assert f"var({variable})" in page


def _standing_alone(plot: str) -> str:
    return plot.replace("<svg ", '<svg xmlns:xlink="http://www.w3.org/1999/xlink" ', 1)


def test_a_large_job_makes_no_large_page(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=4 * 300)
    for task in range(300):
        put(directory_store, task, "container", 3.0 + task / 10)
        put(directory_store, task, "function", 3.0 + task / 9)
    assert len(report(directory_store, JOB)) < 500_000


def test_trials_are_told_with_their_verdicts(directory_store: DirectoryStore) -> None:
    names = [put_trial(directory_store, number, effect=0.2) for number in range(20)]
    text = words(report(directory_store, *names))
    for part in (
        "20 jobs, trial-00 to trial-19, each of them 16 images",
        "round trip, warm container faster",
        "95% interval",
        "Ratios of 20 trials, warm tasks",
        "symmetric bootstrap-t over trials, 95%, 9,999 resamples, seed 0",
    ):
        assert part in text


def test_damaged_records_are_told_where_the_answer_is(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=4 * 3)
    for task in range(3):
        put(directory_store, task, "container", 3.0)
        put(directory_store, task, "function", 3.0)
    name = record_name(JOB, "function", 1)
    (directory_store.root / name).write_bytes(b'{"<script>')
    text = words(report(directory_store, JOB))
    for part in (
        "round trip, warm × 1.00 container / function, 2 pairs; one run: descriptive;"
        " may be biased: function: 1 damaged of at most 3 warm tasks, over 1%",
        f"function: 1 of 3 records left out, since damaged; the first: {name} cannot be read: it is cut off",
        "left out: damaged records 0 1",
        "Where more than 1% of a target's tasks failed, are not done or have no sound record",
    ):
        assert part in text


def test_a_verdict_that_damage_forbids_is_told_with_the_reason(directory_store: DirectoryStore) -> None:
    names = [put_trial(directory_store, number, effect=0.2) for number in range(20)]
    (directory_store.root / record_name(names[3], "container", 2)).write_bytes(b"")
    text = words(report(directory_store, *names))
    assert "container faster" not in text
    assert re.search(
        r"process time, warm inconclusive container / function = 0\.\d+, 95% interval [0-9.–]+;"
        r" may be biased: container: 1 damaged of at most 60 warm tasks, over 1%",
        text,
    )


def test_a_job_with_one_target_has_a_report(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=4, targets=("function",))
    put(directory_store, 0, "function", 3.0)
    assert "4 images of faces-64 for function." in words(report(directory_store, JOB))


def test_what_a_record_says_is_text(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=4)
    hostile = "<script>alert(1)</script>&\"'"
    put(directory_store, 0, "container", 3.0, cpu_model=hostile, instance_id=hostile)
    put(directory_store, 0, "function", 3.0, worker_revision="]]></svg>")
    page = report(directory_store, JOB)
    assert "<script" not in page
    assert "alert(1)" in words(page)


def test_equal_jobs_give_equal_reports(directory_store: DirectoryStore) -> None:
    put_manifest(directory_store, count=4)
    put(directory_store, 0, "container", 3.0)
    put(directory_store, 0, "function", 3.0)
    assert report(directory_store, JOB) == report(directory_store, JOB)
