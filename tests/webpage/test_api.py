"""What the page's server answers, on a folder and on a bucket alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from results.naming import image_name, manifest_name, record_name
from results.stores.base import Store
from results.stores.directory import DirectoryStore
from tests.support.builders.pictures import JOB, manifest, write_job
from tests.support.servers.page_server import PageServer
from tests.support.servers.valkey import ValkeyServer

Place = tuple[Store, PageServer]


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest) -> Place:
    names = {"folder": ("folder_store", "page"), "bucket": ("bucket_store", "bucket_page")}[request.param]
    store, server = (request.getfixturevalue(name) for name in names)
    return store, server


def news_of(server: PageServer, job: str, **headers: str) -> list[tuple[str, str, dict[str, Any]]]:
    """All events of an ended job: id, name and data of each."""
    text = server.get(f"/api/jobs/{job}/events", headers=headers).text
    events = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "data" in fields:
            events.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return events


def test_a_job_its_events_and_its_images_are_served(place: Place) -> None:
    store, server = place
    assert server.get(f"/api/jobs/{JOB}").json()["count"] == 10

    *news, last = news_of(server, JOB)
    assert last[1] == "end"
    rows = [row for _, _, data in news for row in data["rows"]]
    assert sorted((row["target"], row["task"]) for row in rows) == [
        (target, task) for target in ("container", "function") for task in range(3)
    ]
    assert {row["values"]["process_s"] for row in rows if row["target"] == "container"} == {2.0}
    assert all(row["values"]["round_trip_s"] for row in rows)
    assert news[-1][2]["state"]["status"] == "succeeded"

    image = server.get(f"/jobs/{JOB}/function/images/3.png?v=1")
    assert image.content == store.read(image_name(JOB, "function", 3))
    assert "immutable" in image.headers["Cache-Control"]
    small = server.get(f"/jobs/{JOB}/function/thumbnails/3.webp")
    assert Image.open(BytesIO(small.content)).size == (16, 16)
    kept = server.get(f"/jobs/{JOB}/function/originals/3.png")
    assert kept.headers["Content-Disposition"].startswith("attachment")

    detail = server.get(f"/api/jobs/{JOB}/images/3").json()
    sides = detail["targets"]
    assert {side["state"] for side in sides.values()} == {"ok"}
    assert sides["container"]["sha256"] == hashlib.sha256(image.content).hexdigest()
    assert sides["container"]["provenance"]["index"] == 3
    assert detail["similarity"]["differing"] == 0
    assert any("results verify" in line["command"] for line in detail["commands"])


def test_who_comes_back_is_sent_only_what_is_new(page: PageServer) -> None:
    last_id = [told for told, name, _ in news_of(page, JOB) if name == "news"][-1]
    again = [data for _, name, data in news_of(page, JOB, **{"Last-Event-ID": last_id}) if name == "news"]
    assert sum(len(data["rows"]) for data in again) == 0


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {JOB, "other"}),
        ("model=other-model", {"other"}),
        ("seed=7", {JOB}),
        ("target=function", {JOB}),
        ("outcome=succeeded", {JOB, "other"}),
        ("outcome=failed", set()),
        ("from=2026-11-26", set()),
        ("from=2026-11-25&to=2026-11-25", {JOB, "other"}),
        ("text=oth", {"other"}),
        ("limit=1&offset=1&text=o", {JOB, "other"}),
    ],
)
def test_jobs_are_filtered(page: PageServer, query: str, found: set[str]) -> None:
    listed = {job["job_id"] for job in page.get(f"/api/jobs?{query}").json()["jobs"]}
    assert len(listed) == 1 if "limit" in query else True
    assert listed <= found if "limit" in query else listed == found


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/api/jobs/none-such", 404, "no job 'none-such'"),
        ("/api/jobs/none-such/events", 404, "no job 'none-such'"),
        ("/api/jobs/..%2f..%2fetc", 404, ""),
        ("/api/jobs/%2e%2e", 404, ""),
        ("/jobs/../../etc/passwd", 404, ""),
        (f"/jobs/{JOB}/..%2fcontainer/images/1.png", 404, ""),
        (f"/jobs/{JOB}/..%5ccontainer/images/1.png", 404, "unknown target"),
        ("/assets/x/..%2f..%2fapp.py", 404, "no such file"),
        ("/assets/x/css/%2e%2e/%2e%2e/app.py", 404, ""),
        (f"/api/jobs/{JOB}/images/10", 404, "whose images are 0 to 9"),
        (f"/api/jobs/{JOB}/images/999999999999", 404, ""),
        (f"/jobs/{JOB}/celery/images/1.png", 404, "celery"),
        (f"/jobs/{JOB}/nobody/images/1.png", 404, "unknown target 'nobody'"),
        ("/api/jobs?seed=seven", 400, "seed must be a whole number"),
        ("/api/jobs?from=yesterday", 400, "must be a date"),
        (f"/api/jobs?text={'x' * 300}", 400, "over 200 characters"),
        ("/api/jobs/other/images/1/x", 404, ""),
        ("/jobs/other/differences/1.png", 400, "difference is between two"),
    ],
)
def test_what_cannot_be_had_is_told_in_one_line(page: PageServer, path: str, status: int, says: str) -> None:
    session = requests.Session()
    request = requests.Request("GET", page.url, headers={"Accept": "application/json"}).prepare()
    request.url = page.url + path  # as it is: requests would resolve ".."
    answer = session.send(request, timeout=20)
    assert answer.status_code == status
    error = answer.json()["error"] if "json" in answer.headers["Content-Type"] else answer.text
    assert says in error
    assert "\n" not in error.strip()
    assert "Traceback" not in error


def test_damage_is_told_image_by_image_and_hides_nothing_else(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "results")
    write_job(store)
    write_job(store, manifest(job_id="half"))
    root = tmp_path / "results"
    (root / image_name(JOB, "container", 1)).unlink()
    other = (root / image_name(JOB, "function", 5)).read_bytes()
    (root / image_name(JOB, "function", 2)).chmod(0o600)
    (root / image_name(JOB, "function", 2)).write_bytes(other)
    changes: dict[str, Callable[[str], str]] = {
        record_name(JOB, "container", 1): lambda text: text[: len(text) // 2],
        record_name(JOB, "function", 1): lambda text: text.replace('"cold_start":', '"cold_start_x":'),
        manifest_name("half"): lambda text: text[:40],
    }
    for name, change in changes.items():
        path = root / name
        path.chmod(0o600)
        path.write_text(change(path.read_text()))
    server = PageServer(store.url, tmp_path)
    try:
        server.wait()
        gone = server.get(f"/api/jobs/{JOB}/images/1").json()["targets"]
        assert gone["container"]["state"] == "missing"
        assert "the PNG is gone" in gone["container"]["message"]
        assert gone["function"]["state"] == "ok"
        assert server.get(f"/api/jobs/{JOB}/images/2").json()["targets"]["function"]["state"] == "changed"
        rows = [row for _, name, data in news_of(server, JOB) if name == "news" for row in data["rows"]]
        assert {(row["target"], row["task"]) for row in rows if "problem" in row} == {
            ("container", 1),
            ("function", 1),
        }
        assert len(rows) == 6
        compared = server.get(f"/api/jobs/{JOB}/comparison").json()["comparison"]
        for one in compared["targets"]:
            assert (one["tasks"], one["unreadable"]) == (2, 1)
            assert f"{one['target']}/records/000001.json cannot be read" in one["why_unreadable"]
        assert {one["pairs"] for one in compared["ratios"] if one["warmth"] == "warm"} == {1}
        assert server.get("/api/jobs/half").status_code == 422
        listed = {job["job_id"]: job["status"] for job in server.get("/api/jobs").json()["jobs"]}
        assert listed["half"] == "unreadable"
        assert listed[JOB] == "succeeded"
        assert "Traceback" not in server.log()
    finally:
        server.stop()


def test_a_job_submitted_here_is_listed_at_once(tmp_path: Path) -> None:
    broker = ValkeyServer(tmp_path / "broker")
    broker.start()
    server = PageServer(DirectoryStore(tmp_path / "results").url, tmp_path, broker.url)
    try:
        server.wait()
        assert server.get("/api/jobs").json()["jobs"] == []  # what it found is kept for a while from here on
        answer = server.post("/api/jobs", {"count": 4, "model": "faces-64"})
        assert answer.status_code == 201, answer.text
        listed = [job["job_id"] for job in server.get("/api/jobs").json()["jobs"]]
        assert listed == [answer.json()["job_id"]]
    finally:
        server.stop()
        broker.kill()
