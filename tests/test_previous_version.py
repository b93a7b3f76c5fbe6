"""A store and two benchmarks that commit fc39b2c wrote, read by every reader: see tests/data/README.md."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from diptych.cli import main
from model.checkpoint import load_checkpoint
from results.imaging.png import read_provenance
from results.stores.directory import DirectoryStore
from tests.support import ROOT
from tests.support.servers.page_server import PageServer

WRITTEN = ROOT / "tests" / "data" / "fc39b2c"
JOBS = {
    "succeeded": "succeeded", "own-model": "succeeded", "failed": "failed", "dead": "partial",
    "cancelled": "cancelled",
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DirectoryStore:
    """A copy of the store."""
    return DirectoryStore(shutil.copytree(WRITTEN / "store", tmp_path_factory.mktemp("old") / "store"))


@pytest.fixture(scope="module")
def page(store: DirectoryStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """The page of this store."""
    server = PageServer(store.url, tmp_path_factory.mktemp("page"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def output(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def documents(store: DirectoryStore, *arguments: str) -> list[Any]:
    return [json.loads(line) for line in output(*arguments, "--json", "--store", store.url).splitlines()]


class TestJobs:
    def test_all_are_listed(self, store: DirectoryStore) -> None:
        (found,) = documents(store, "jobs")
        assert {job["job_id"]: job["status"] for job in found} == JOBS

    @pytest.mark.parametrize(("job", "status"), JOBS.items())
    def test_a_status(self, store: DirectoryStore, job: str, status: str) -> None:
        (found,) = documents(store, "status", job)
        assert found["status"] == status

    def test_a_failure_says_why(self, store: DirectoryStore) -> None:
        assert "unknown_model: unknown model tiny-8" in output("status", "failed", "--store", store.url)

    def test_a_dead_letter_is_listed(self, store: DirectoryStore) -> None:
        (found,) = documents(store, "dlq", "list", "dead")
        (letter,) = found["letters"]
        assert (letter["target"], letter["task"], letter["attempts"]) == ("container", 0, 2)

    def test_a_dead_letter_is_shown(self, store: DirectoryStore) -> None:
        text = output("dlq", "show", "dead", "0", "--store", store.url)
        assert "publication 0, 2 attempts, dead since 2026-11-29 12:39 UTC" in text


class TestResults:
    def test_ls(self, store: DirectoryStore) -> None:
        found = documents(store, "results", "ls", "succeeded")
        assert [(image["target"], image["index"]) for image in found] == [
            (target, index) for target in ("container", "function") for index in range(6)
        ]

    def test_ls_of_records(self, store: DirectoryStore) -> None:
        found = documents(store, "results", "ls", "succeeded", "--records")
        assert [record["target"] for record in found] == ["container"] * 2 + ["function"] * 2

    def test_show_of_an_image(self, store: DirectoryStore) -> None:
        text = output("results", "show", "succeeded", "5", "--store", store.url)
        assert text.count("the same file") == 2
        assert "container and function: equal, pixel for pixel" in text

    def test_show_of_a_job_that_is_partly_dead(self, store: DirectoryStore) -> None:
        (found,) = documents(store, "results", "show", "dead")
        assert found["targets"]["container"]["tasks_done"] == 0
        assert found["targets"]["function"]["tasks_done"] == 1

    def test_compare(self, store: DirectoryStore) -> None:
        (found,) = documents(store, "results", "compare", "succeeded")
        assert [(target["target"], target["tasks"], target["images"]) for target in found["targets"]] == [
            ("container", 2, 6), ("function", 2, 6),
        ]  # fmt: skip
        assert all(target["unreadable"] == 0 for target in found["targets"])

    def test_report(self, store: DirectoryStore, tmp_path: Path) -> None:
        output("results", "report", "succeeded", "-o", str(tmp_path / "r.html"), "--store", store.url)
        assert "functions-framework" in (tmp_path / "r.html").read_text()

    @pytest.mark.parametrize("form", ["zip", "tar", "webdataset", "parquet", "csv", "jsonl"])
    def test_export(self, store: DirectoryStore, tmp_path: Path, form: str) -> None:
        asked = ("--both", "--format", form, "-o", str(tmp_path / "out"), "--strict")
        (found,) = documents(store, "results", "export", "succeeded", *asked)
        assert (found["images"], found["images_missing"], found["left_out"]) == (12, 0, 0)

    def test_cost(self, store: DirectoryStore) -> None:
        assert "images" in output("results", "cost", "succeeded", "--store", store.url)

    def test_verify_generates_the_same_images_again(self, store: DirectoryStore) -> None:
        *images, last = documents(store, "results", "verify", "own-model")
        assert [image["good"] for image in images] == [True] * 8
        assert (last["pictures"], last["damaged_records"], last["tasks_without_record"]) == (8, 0, 0)

    def test_gallery(self, store: DirectoryStore, tmp_path: Path) -> None:
        (found,) = documents(store, "results", "gallery", "succeeded", "-o", str(tmp_path / "gallery"))
        assert (found["ok"], found["missing"], found["damaged"]) == (12, 0, 0)

    def test_contact_sheet(self, store: DirectoryStore, tmp_path: Path) -> None:
        path = tmp_path / "sheet.png"
        output("results", "contact-sheet", "succeeded", "-o", str(path), "--store", store.url)
        with Image.open(path) as sheet:
            assert sheet.width > 2 * 64

    def test_download(self, store: DirectoryStore, tmp_path: Path) -> None:
        output("results", "download", "succeeded", "-o", str(tmp_path), "--store", store.url)
        assert len([*tmp_path.rglob("*.png")]) == 12


class TestPage:
    def test_jobs(self, page: PageServer) -> None:
        found = {job["job_id"]: job["status"] for job in page.get("/api/jobs").json()["jobs"]}
        assert found == JOBS

    @pytest.mark.parametrize("job", JOBS)
    def test_a_job(self, page: PageServer, job: str) -> None:
        assert page.get(f"/api/jobs/{job}").json()["job_id"] == job

    def test_a_comparison(self, page: PageServer) -> None:
        assert page.get("/api/jobs/succeeded/comparison").ok

    def test_an_image_and_its_thumbnail(self, page: PageServer, store: DirectoryStore) -> None:
        image = page.get("/jobs/succeeded/function/images/3.png")
        assert image.content == store.read("jobs/succeeded/function/images/00000003.png")
        assert page.get("/jobs/succeeded/function/thumbnails/3.webp").ok


@pytest.mark.parametrize("kind", ["load", "queue"])
def test_a_benchmark_is_reported_again(tmp_path: Path, kind: str) -> None:
    run = shutil.copytree(WRITTEN / f"bench-{kind}", tmp_path / kind)
    before = json.loads((run / "summary.json").read_text())
    output("bench", "report", str(run))
    after = json.loads((run / "summary.json").read_text())
    assert after["raw_rows"] == before["raw_rows"]
    assert after["results"]["targets"].keys() == before["results"]["targets"].keys()
    assert (run / "report.html").exists()


@pytest.mark.parametrize("kind", ["load", "queue"])
def test_a_benchmark_is_set_beside_itself(tmp_path: Path, kind: str) -> None:
    run = str(shutil.copytree(WRITTEN / f"bench-{kind}", tmp_path / kind))
    output("bench", "report", run, run, "--out", str(tmp_path / "both.html"))
    assert (tmp_path / "both.html").exists()


def test_a_checkpoint() -> None:
    (path,) = (WRITTEN / "store" / "models").iterdir()
    _, config = load_checkpoint(path)
    assert (config.name, config.resolution) == ("tiny-8", 8)


def test_a_png_says_where_it_comes_from() -> None:
    path = WRITTEN / "store" / "jobs" / "succeeded" / "container" / "images" / "00000005.png"
    found = read_provenance(path.read_bytes())
    assert (found.model, found.seed, found.index, found.precision) == ("faces-64", 7, 5, "fp32")
