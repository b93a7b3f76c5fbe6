"""The table of metrics is the only list: what is added to it is shown everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from pipeline.config.settings import Settings
from results.comparison import metrics
from results.comparison.compare import compare, read_trials
from results.comparison.metrics import METRICS, Metric
from results.export.columns import row_of as export_row_of
from results.records import iter_records
from results.report.page import report_html
from results.stores.directory import DirectoryStore
from tests.diptych.conftest import run
from tests.support.builders.compare_jobs import COLD, entries, put, put_manifest, text_of
from tests.support.builders.pictures import JOB
from webpage.app import create_app
from webpage.views.task_row import row_of

STATISTICS = Path(__file__).parents[2] / "docs/statistics.md"
ADDED = Metric(
    "gpu_energy_j",
    "GPU energy",
    "J",
    "Energy that the GPU drew during the task.",
    lambda stored: 2.0 * stored.record.process_s,
    is_ratio=True,
    lower_is="uses less",
)


@pytest.fixture
def job(directory_store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> DirectoryStore:
    """A job of eight tasks on both targets, with one more metric in the table."""
    monkeypatch.setattr(metrics, "METRICS", (*METRICS, ADDED))
    put_manifest(directory_store, count=32)
    for target, factor in (("container", 1.0), ("function", 2.0)):
        put(directory_store, 0, target, 9.0, **COLD, images=entries(range(4)))  # type: ignore[arg-type]
        for task in range(1, 8):
            images = entries(range(4 * task, 4 * task + 4))
            put(directory_store, task, target, 9.0, process_s=factor, images=images)  # type: ignore[arg-type]
    return directory_store


@pytest.fixture
def page(job: DirectoryStore) -> Flask:
    return create_app(lambda: Settings(store_url=job.url), store=job)


def test_it_is_in_the_json(job: DirectoryStore) -> None:
    result = run(job, "compare", JOB, "--json")
    compared = json.loads(result.stdout)
    assert [target["warm"][ADDED.name]["median"] for target in compared["targets"]] == [2.0, 4.0]
    ratios = {(ratio["quantity"], ratio["warmth"]): ratio["geometric_mean"] for ratio in compared["ratios"]}
    assert ratios[ADDED.name, "warm"] == pytest.approx(0.5)


def test_it_is_in_the_terminal(job: DirectoryStore) -> None:
    text = text_of(compare(job, read_trials(job, [JOB])))
    lines = [line.split() for line in text.splitlines() if ADDED.label in line]
    # Of each target, its percentile, its ratio.
    assert ["GPU", "energy", "8.00", "J", "2.00", "J", "8.00", "J", "4.00", "J"] in lines
    assert ["GPU", "energy", "p50", "2.00", "J", "4.00", "J"] in lines
    assert ["GPU", "energy", "7", "0.50", "1.00", "0.50–0.50"] in lines


def test_it_is_among_the_times_of_a_task(job: DirectoryStore) -> None:
    assert "GPU energy" in run(job, "ls", JOB, "--records").stdout
    assert "GPU energy" in run(job, "show", JOB, "--task", "1").stdout
    (line,) = run(job, "show", JOB, "--task", "1", "--json").stdout.splitlines()
    assert json.loads(line)["targets"]["function"][ADDED.name] == 4.0


def test_it_is_in_the_report_with_its_plots(job: DirectoryStore) -> None:
    jobs = read_trials(job, [JOB])
    report = report_html(compare(job, jobs), jobs)
    for part in (
        '<th scope="row">GPU energy</th>',
        '<th scope="row">GPU energy p50</th>',
        '<th scope="row">GPU energy, warm</th>',
        "<h3>Distribution of GPU energy</h3>",
        "<h3>GPU energy</h3>",
        "GPU energy, J",
        f"<dt>GPU energy</dt><dd>{ADDED.meaning}</dd>",
    ):
        assert part in report


def test_it_is_in_the_json_of_the_page(page: Flask) -> None:
    client = page.test_client()
    job = client.get(f"/api/jobs/{JOB}").get_json()
    assert job["metrics"][-1] == ADDED.described()
    assert (job["metrics"][-1]["label"], job["metrics"][-1]["unit"]) == ("GPU energy", "J")
    compared = client.get(f"/api/jobs/{JOB}/comparison").get_json()["comparison"]
    assert ADDED.name in {ratio["quantity"] for ratio in compared["ratios"]}
    news = [data for data in _news(client.get(f"/api/jobs/{JOB}/events").text) if data.get("rows")]
    rows = [row for data in news for row in data["rows"]]
    assert {row["values"][ADDED.name] for row in rows if row["task"] == 1} == {2.0, 4.0}
    figures = news[-1]["state"]["targets"]["function"]["figures"]
    assert figures["warm"]["medians"][ADDED.name] == 4.0


def _news(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_the_scripts_of_the_page_know_no_metric_but_the_stages_of_a_task() -> None:
    drawn = {"round_trip_s", "process_s", "model_load_s", "generate_s", "encode_s", "store_s", "queue_s"}
    for path in (Path(__file__).parents[2] / "webpage/static/js").glob("*.js"):
        named = {metric.name for metric in METRICS if f'"{metric.name}"' in path.read_text()}
        assert named <= (drawn if path.name == "waterfall.js" else set()), path.name


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_defined_in_the_documentation(metric: Metric) -> None:
    assert f"`{metric.name}`" in STATISTICS.read_text()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_part_stands_below_its_whole(metric: Metric) -> None:
    names = [known.name for known in METRICS]
    assert not metric.part_of or names.index(metric.part_of) < names.index(metric.name)


def test_no_metric_is_silently_missing(job: DirectoryStore) -> None:
    group = compare(job, read_trials(job, [JOB])).targets[0].warm
    assert group.of(ADDED.name) is not None
    with pytest.raises(KeyError):
        group.of("gpu_s")


def test_cold_means_the_same_everywhere(directory_store: DirectoryStore) -> None:
    """A worker whose first delivery was meant for another target, then generated its first task."""
    put_manifest(directory_store, count=4, targets=("container",))
    put(directory_store, 0, "container", 6.0, **COLD | {"prior_requests": 1}, images=entries(range(4)))
    (summary,) = compare(directory_store, read_trials(directory_store, [JOB])).targets
    assert (summary.cold.tasks, summary.warm.tasks) == (1, 0)
    assert "  cold  " in run(directory_store, "ls", JOB, "--records").stdout
    shown = run(directory_store, "show", JOB, "--task", "0").stdout
    assert next(line.split() for line in shown.splitlines() if "start" in line) == ["start", "cold"]
    (row,) = [row_of(stored) for stored in iter_records(directory_store, JOB, "container")]
    assert row["cold"] is True
    (exported,) = {
        export_row_of(stored, stored.record.images[0])["task_cold_start"]
        for stored in iter_records(directory_store, JOB, "container")
    }
    assert exported is True


@pytest.mark.parametrize("field", ["cold_start", "prior_requests"])
def test_cold_is_judged_in_one_place(field: str) -> None:
    """Whoever reads the fields to judge a record does it through `is_cold`."""
    root = Path(__file__).parents[2]
    readers = {
        str(path.relative_to(root))
        for package in ("results", "webpage", "bench", "diptych")
        for path in (root / package).rglob("*.py")
        if re.search(rf"record\.{field}\b", path.read_text())
    }
    shown_as_it_is = (
        {"diptych/commands/results/show.py", "bench/cold/sender.py"} if field == "prior_requests" else set()
    )
    assert readers <= {"results/records.py", *shown_as_it_is}
