"""Documents: what is written comes back, and nothing else is let in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.documents import Failure, Manifest, PublishedChunk, dump, load
from results.errors import DocumentError
from results.naming import MAX_INDEX, MAX_TASK
from results.record import Record
from tests.support.builders.pictures import DIGEST, START, manifest, record

STAMPS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
SECONDS = st.floats(0, 1e6)


@given(
    job_id=NAMES,
    count=st.integers(1, MAX_INDEX + 1),
    seed=st.integers(0, 2**63 - 1),
    params=st.dictionaries(st.text(max_size=64), VALUES, max_size=4),
    images_per_task=st.integers(1, 256),
    submitted_at=STAMPS,
)
def test_a_manifest_comes_back(**values: Any) -> None:
    before = manifest(**values)
    data = dump(before)
    assert load(Manifest, data, "x") == before
    assert data.endswith(b"}\n")
    assert data.count(b"\n") == 1
    assert b'"schema":"diptych.job/1"' in data


@given(process_s=SECONDS, cpu_user_s=SECONDS, received_at=STAMPS, rss_peak_bytes=st.integers(0, 2**45))
def test_a_record_comes_back(**values: Any) -> None:
    before = record(0, "container", **values)
    assert load(Record, dump(before), "x") == before


@given(count=st.integers(1, 10**6), images_per_task=st.integers(1, 256))
def test_tasks_cover_every_image_once(count: int, images_per_task: int) -> None:
    job = manifest(count=count, images_per_task=images_per_task)
    assert job.task_range(0).start == 0
    assert job.task_range(job.task_count - 1).stop == count
    middle = job.task_count // 2
    assert job.task_range(middle).stop == job.task_range(middle + 1).start or middle == job.task_count - 1
    assert all(1 <= len(job.task_range(task)) <= images_per_task for task in (0, middle, job.task_count - 1))


@given(data=st.binary(max_size=100))
def test_damage_is_told_by_name_and_in_one_line(data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^jobs/a/job\.json cannot be read: ") as caught:
        load(Manifest, data, "jobs/a/job.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "diptych.job/2"},
        {"job_id": "../x"},
        {"job_id": "a\n"},
        {"job_id": "x" * 64},
        {"count": 0},
        {"count": MAX_INDEX + 2},
        {"seed": -1},
        {"seed": 2**63},
        {"targets": ()},
        {"targets": ("elsewhere",)},
        {"model_digest": "sha256:12"},
        {"images_per_task": 257},
        {"resolution": 5000},
        {"params": {"a": {"b": 1}}},
        {"params": {"a": float("nan")}},
        {"submitted_at": "yesterday"},
        {"submitted_at": "2026-11-24T09:30:00"},
    ],
)
def test_limits_are_kept(change: dict[str, Any]) -> None:
    values = manifest().model_dump(mode="json") | change
    with pytest.raises(ValueError, match="validation error"):
        Manifest.model_validate(values)


def test_unknown_fields_are_ignored_and_documents_are_frozen() -> None:
    text = dump(manifest()).replace(b'{"', b'{"new_field":1,"', 1)
    found = load(Manifest, text, "x")
    assert found == manifest()
    with pytest.raises(ValueError, match="frozen"):
        found.count = 5  # type: ignore[misc]


def test_the_request_is_told_from_names_and_stamps() -> None:
    later = manifest(job_id="other", submitted_at=START + timedelta(days=1), images_per_task=2)
    assert later.request() == manifest().request()
    assert manifest(seed=8).request() != manifest().request()
    assert manifest(params={"a": 1}).request() != manifest().request()


def test_other_documents_keep_their_limits() -> None:
    chunk = {"publication": 0, "first_task": 0, "last_task": MAX_TASK + 1, "targets": ["container"]}
    stamps = {"publication_started_at": START, "published_at": START}
    with pytest.raises(ValueError, match="last_task"):
        PublishedChunk.model_validate(chunk | stamps)
    with pytest.raises(ValueError, match="process_s"):
        Failure.model_validate({"process_s": -1, "model_digest": DIGEST})
