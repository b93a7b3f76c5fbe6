"""Submitting: a checked request becomes one job, however often it is submitted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from model.errors import CheckpointError, ParamsError, UnknownModelError
from model.registry import Registry
from pipeline.errors import BrokerError, RequestError
from producer.republish import resume
from producer.submit import Draft, JobRequest, draft_job, submit
from results.errors import StoreError
from results.job_state import load_manifest
from results.naming import manifest_name, model_name
from results.stores.base import ObjectInfo
from results.stores.directory import DirectoryStore
from tests.producer.conftest import ListPublisher
from tests.support.builders.checkpoints import save_tiny
from tests.support.builders.stores import FaultyStore


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder = tmp_path_factory.mktemp("models")
    save_tiny(folder)
    save_tiny(folder, name="other")
    return Registry(folder, calibrations=folder / "none.json")


def draft(registry: Registry, **changes: Any) -> Draft:
    fields: dict[str, Any] = {
        "model": "tiny", "count": 10, "targets": ("container", "function"), "seed": 7, "job_id": "my-job",
        "images_per_task": 3,
    }  # fmt: skip
    return draft_job(JobRequest(**(fields | changes)), registry)


def test_a_request_becomes_a_manifest_and_then_messages(registry: Registry, store: DirectoryStore) -> None:
    publisher = ListPublisher()
    submission = submit(store, publisher, draft(registry))
    assert (submission.created, submission.messages, submission.unpublished) == (True, 8, 0)
    stored = load_manifest(store, "my-job")
    assert stored == submission.manifest
    assert (stored.model, stored.resolution, stored.count, stored.task_count) == ("tiny", 16, 10, 4)
    assert stored.model_digest == registry.get("tiny").digest
    assert stored.submitted_with.startswith("diptych ")
    assert [task.task_index for task in publisher.tasks] == [0, 1, 2, 3]


def test_the_same_request_again_is_the_same_job(registry: Registry, store: DirectoryStore) -> None:
    first = submit(store, ListPublisher(), draft(registry))
    publisher = ListPublisher()
    for same in (
        {},
        {"seed": None},
        {"targets": ("function", "container", "function")},
        {"images_per_task": 5},
    ):
        again = submit(store, publisher, draft(registry, **same))
        assert (again.created, again.messages, again.unpublished) == (False, 0, 0)
        assert again.manifest == first.manifest
    assert publisher.tasks == []


def test_a_precision_without_figures_is_refused_before_anything_is_written(registry: Registry) -> None:
    with pytest.raises(RequestError, match=r"tiny has no int8 figures: use auto or fp32 or bf16, or measure"):
        draft(registry, precision="int8")


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"count": 11}, "count is 10 there, 11 here"),
        ({"seed": 8}, "seed is 7 there, 8 here"),
        ({"model": "other"}, "model is tiny there, other here"),
        ({"targets": ("container",)}, "targets is ['container', 'function'] there, ['container'] here"),
        ({"precision": "fp32"}, "precision is auto there, fp32 here"),
    ],
)
def test_another_request_under_the_same_name_is_refused(
    registry: Registry, store: DirectoryStore, change: dict[str, Any], difference: str
) -> None:
    submit(store, ListPublisher(), draft(registry))
    publisher = ListPublisher()
    with pytest.raises(RequestError, match=re.escape(difference)):
        submit(store, publisher, draft(registry, **change))
    assert publisher.tasks == []


def test_a_job_that_the_broker_did_not_take_is_kept_and_resumed(
    registry: Registry, store: DirectoryStore
) -> None:
    with pytest.raises(BrokerError, match="`diptych resume my-job`"):
        submit(store, ListPublisher(fail_after=0), draft(registry))
    publisher = ListPublisher()
    again = submit(store, publisher, draft(registry))
    assert (again.created, again.unpublished, publisher.tasks) == (False, 4, [])
    assert resume(store, publisher, "my-job").messages == 8


def test_a_store_that_cannot_be_written_is_told_before_anything_is_published(
    registry: Registry, tmp_path: Path
) -> None:
    blocked = tmp_path / "store"
    blocked.write_text("a file where a folder should be")
    publisher = ListPublisher()
    with pytest.raises(StoreError, match=str(blocked)):
        submit(DirectoryStore.from_url(blocked.as_uri()), publisher, draft(registry))
    assert publisher.tasks == []


def test_a_model_of_the_users_own_is_pushed_once_and_before_the_job(
    registry: Registry, store: DirectoryStore
) -> None:
    written: list[str] = []
    noting = FaultyStore(store, lambda name, _data: written.append(name))
    submission = submit(noting, ListPublisher(), draft(registry))
    model = registry.get("tiny")
    assert submission.pushed_bytes == model.path.stat().st_size
    assert written[:2] == [model_name(model.digest), manifest_name("my-job")]
    assert submit(noting, ListPublisher(), draft(registry, job_id="another")).pushed_bytes == 0
    assert written.count(model_name(model.digest)) == 1


def test_a_job_whose_model_cannot_be_pushed_is_not_begun(store: DirectoryStore, tmp_path: Path) -> None:
    save_tiny(tmp_path)
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    publisher = ListPublisher()
    with pytest.raises(CheckpointError, match="damaged"):
        submit(store, publisher, draft(Registry(tmp_path)))
    assert list(store.list("")) == []
    assert publisher.tasks == []


def test_a_push_can_be_left_out(registry: Registry, store: DirectoryStore) -> None:
    assert submit(store, ListPublisher(), draft(registry), push=False).pushed_bytes == 0
    assert list(store.list("models/")) == []


def test_a_shipped_model_costs_no_look_at_the_store(store: DirectoryStore) -> None:
    class Blind(FaultyStore):
        def stat(self, name: str) -> ObjectInfo | None:
            raise AssertionError(f"looked {name} up")

    blind = Blind(store, lambda _name, _data: None)
    submission = submit(blind, ListPublisher(), draft(Registry(), model="faces-64"))
    assert (submission.created, submission.pushed_bytes) == (True, 0)
    assert list(store.list("models/")) == []


def test_names_are_made_for_jobs_that_have_none(registry: Registry) -> None:
    names = {draft(registry, job_id=None).manifest.job_id for _ in range(5)}
    assert len(names) == 5
    assert all(re.fullmatch(r"tiny-\d{8}-\d{6}-[a-z0-9]{4}", name) for name in names)


def test_a_seed_is_drawn_if_none_is_given_and_each_target_counts_once(registry: Registry) -> None:
    seeds = {draft(registry, seed=None).manifest.seed for _ in range(5)}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert draft(registry, targets=("celery", "celery")).manifest.targets == ("celery",)


@pytest.mark.parametrize(
    ("change", "error", "complaint"),
    [
        ({"count": 0}, RequestError, "cannot generate 0 images"),
        ({"count": 10**12}, RequestError, "cannot generate 1000000000000 images"),
        ({"seed": -1}, RequestError, "seed -1 is outside"),
        ({"seed": 2**63}, RequestError, "is outside"),
        ({"job_id": "../../etc"}, RequestError, "--job: bad name"),
        ({"job_id": "a" * 64}, RequestError, "--job: bad name"),
        ({"job_id": "nul\0"}, RequestError, "--job: bad name"),
        ({"targets": ()}, RequestError, "no target"),
        ({"model": "no-such"}, UnknownModelError, "unknown model no-such; known models: .*tiny"),
        ({"model": "../tiny"}, UnknownModelError, "not a model name"),
        ({"params": {"steps": 3}}, ParamsError, "takes no params, but got steps"),
    ],
)
def test_bad_requests_are_refused(
    registry: Registry, change: dict[str, Any], error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        draft(registry, **change)
