"""Verifying: real pictures of a real engine, then every way in which they can be wrong."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from diptych.cli import main
from model.registry import Registry
from pipeline.config.settings import Settings
from pipeline.models.push import push_model
from pipeline.protocol.outcomes import Delivery
from pipeline.verification.job_images import JobPictures
from pipeline.verification.regenerator import Repainter
from pipeline.verification.verifier import Candidate, Finding, Verdict, Verifier
from pipeline.worker.process import process_task
from pipeline.worker.runtime import Runtime
from producer.publish import task_message
from producer.submit import JobRequest, draft_job
from results.documents import JSON_TYPE, Manifest, dump, load
from results.imaging.png import PNG_TYPE, decode, encode, pixel_sha256, read_provenance
from results.naming import image_name, manifest_name, model_name, record_name
from results.record import Record
from results.stores.base import Store
from results.stores.directory import DirectoryStore
from tests.support.builders.checkpoints import save_tiny
from tests.support.builders.fakes import QuickEngine
from tests.support.builders.pictures import picture, provenance
from tests.support.builders.tasks import DIGEST

JOB = "job-a"
Run = Callable[..., Result]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    save_tiny(tmp_path / "models")
    return tmp_path / "models"


def paint_job(store: Store, models: Path, count: int = 6) -> Manifest:
    """A job painted by the real core: `count` images in tasks of 3, on one target."""
    request = JobRequest("tiny", count, ("container",), seed=7, job_id=JOB, images_per_task=3)
    manifest = draft_job(request, Registry(models)).manifest
    store.create(manifest_name(JOB), dump(manifest), JSON_TYPE)
    runtime = Runtime(Settings(store_url=store.url, model_dir=models), "container", store=store)
    for task in range(manifest.task_count):
        message = task_message(manifest, task, 0, manifest.submitted_at, manifest.targets)
        delivery = Delivery("container", "m", None, 1, None, Delivery.new_id())
        assert process_task(message, delivery, runtime).outcome == "done"
    return manifest


def verifier(store: Store | None, models: Path | None, cache: Path) -> Verifier:
    settings = Settings(store_url=store.url if store else "", model_dir=models, cache_dir=cache)
    return Verifier(Repainter(settings, store))


def verdicts(store: Store, manifest: Manifest, models: Path | None, cache: Path) -> list[Verdict]:
    return [
        *verifier(store, models, cache).verify(JobPictures(store, manifest, manifest.targets).candidates())
    ]


def replace(store: Store, name: str, data: bytes, kind: str = PNG_TYPE) -> None:
    store.delete(name)
    store.create(name, data, kind)


def test_what_was_painted_is_painted_the_same(store: Store, models: Path, tmp_path: Path) -> None:
    manifest = paint_job(store, models)
    found = verdicts(store, manifest, models, tmp_path / "cache")
    assert [one.name for one in found] == [image_name(JOB, "container", index) for index in range(6)]
    assert {one.finding for one in found} == {Finding.SAME}


def test_the_model_comes_from_the_store_if_it_is_not_here(store: Store, models: Path, tmp_path: Path) -> None:
    manifest = paint_job(store, models)
    push_model(store, Registry(models).get("tiny"))
    found = verdicts(store, manifest, None, tmp_path / "cache")
    assert {one.finding for one in found} == {Finding.SAME}
    assert list((tmp_path / "cache").glob("*.safetensors"))


def test_the_digest_finds_a_model_under_another_name(
    directory_store: DirectoryStore, models: Path, tmp_path: Path
) -> None:
    manifest = paint_job(directory_store, models)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(models / "tiny.safetensors", other / "renamed.safetensors")
    # And one of the old name that is another model now.
    save_tiny(other, width=12)
    assert {one.finding for one in verdicts(directory_store, manifest, other, tmp_path / "c")} == {
        Finding.SAME
    }


def test_everything_that_can_be_wrong_is_told_apart(
    directory_store: DirectoryStore, models: Path, tmp_path: Path
) -> None:
    store, manifest = directory_store, paint_job(directory_store, models, count=9)
    names = [image_name(JOB, "container", index) for index in range(9)]
    pngs = [store.read(name) for name in names]
    pixels, origin = decode(pngs[0]).copy(), read_provenance(pngs[0])
    pixels[0, 0] ^= 255
    replace(store, names[0], encode(pixels, origin))  # tampered pixels
    replace(store, names[1], pngs[1][:100])  # truncated
    store.delete(names[2])  # missing
    # The record follows its tampered image, as one who hides something would do it.
    forged = encode(255 - decode(pngs[4]), read_provenance(pngs[4]))
    replace(store, names[4], forged)
    rewrite_entry(store, 1, 4, forged)
    # Tampered provenance, record made to fit; and an image of another index in its place.
    lying = encode(decode(pngs[5]), read_provenance(pngs[5]).model_copy(update={"seed": 8}))
    replace(store, names[5], lying)
    rewrite_entry(store, 1, 5, lying)
    replace(store, names[6], pngs[7])
    rewrite_entry(store, 2, 6, pngs[7])
    found = verdicts(store, manifest, models, tmp_path / "cache")
    assert [one.finding for one in found] == [
        Finding.CHANGED, Finding.CHANGED, Finding.MISSING,
        Finding.SAME, Finding.DIFFERENT, Finding.CHANGED,
        Finding.CHANGED, Finding.SAME, Finding.SAME,
    ]  # fmt: skip
    assert "another picture" in found[4].detail
    assert "seed 8 / 7" in found[5].detail
    assert "index 7 / 6" in found[6].detail
    assert all("\n" not in one.detail for one in found)


def rewrite_entry(store: Store, task: int, index: int, png: bytes) -> None:
    """Make a task's record tell of another PNG."""
    import hashlib

    name = record_name(JOB, "container", task)
    record = load(Record, store.read(name), name)
    update = {"sha256": hashlib.sha256(png).hexdigest(), "pixel_sha256": pixel_sha256(decode(png))}
    images = tuple(
        entry.model_copy(update=update) if entry.index == index else entry for entry in record.images
    )
    replace(store, name, dump(record.model_copy(update={"images": images})), JSON_TYPE)


def test_one_pixel_is_found_where_the_machine_is_the_same(
    directory_store: DirectoryStore, models: Path, tmp_path: Path
) -> None:
    manifest = paint_job(directory_store, models, count=3)
    name = image_name(JOB, "container", 0)
    pixels = decode(directory_store.read(name)).copy()
    pixels[3, 3, 0] ^= 1
    png = encode(pixels, read_provenance(directory_store.read(name)))
    replace(directory_store, name, png)
    rewrite_entry(directory_store, 0, 0, png)
    first = verdicts(directory_store, manifest, models, tmp_path / "cache")[0]
    assert first.finding is Finding.DIFFERENT
    assert "it should be equal" in first.detail
    assert first.psnr_db is not None
    assert first.psnr_db > 40
    # Without a record the engine's version is not known, so that it could be another one.
    (alone,) = verifier(None, models, tmp_path / "cache").verify([Candidate("x.png", png)])
    assert alone.finding is Finding.ALIKE
    assert "engine version not told" in alone.detail


def test_another_machine_may_differ_in_the_last_bits(directory_store: DirectoryStore, models: Path) -> None:
    manifest = paint_job(directory_store, models, count=3)

    class OtherMachine(QuickEngine):
        def generate(self, seeds: Any, params: Any) -> Any:  # noqa: ARG002
            stored = [decode(directory_store.read(image_name(JOB, "container", i))) for i in range(3)]
            return np.stack([np.clip(one.astype(int) + 1, 0, 255) for one in stored]).astype(np.uint8)

    settings = Settings(store_url=directory_store.url, model_dir=models)
    repainter = Repainter(settings, directory_store, lambda info, **_: OtherMachine(resolution=16))  # noqa: ARG005
    candidates = JobPictures(directory_store, manifest, manifest.targets).candidates()
    found = [*Verifier(repainter).verify(candidates)]
    assert {one.finding for one in found} == {Finding.ALIKE}
    assert "engine openvino, here quick" in found[0].detail


def test_files_on_their_own(models: Path, tmp_path: Path) -> None:
    plain = encode(picture(1), provenance(1, model_digest=DIGEST, model="tiny"))
    found = [
        *verifier(None, models, tmp_path / "cache").verify(
            [
                Candidate("a", b""),
                Candidate("b", b"GIF89a"),
                Candidate("c", plain[:-20]),
                Candidate("d", plain),
            ]
        )
    ]
    assert [one.finding for one in found] == [Finding.DAMAGED] * 3 + [Finding.UNCHECKED]
    assert "the job asks for sha256:abab" in found[3].detail


def test_a_damaged_checkpoint_in_the_store_is_told(
    directory_store: DirectoryStore, models: Path, tmp_path: Path
) -> None:
    manifest = paint_job(directory_store, models, count=3)
    directory_store.create(model_name(manifest.model_digest), b"nonsense", "application/octet-stream")
    found = verdicts(directory_store, manifest, None, tmp_path / "cache")
    assert Counter(one.finding for one in found) == {Finding.UNCHECKED: 3}
    assert "is not what its name says" in found[0].detail


def test_samples_are_seeded_and_read_no_more_than_they_need(
    directory_store: DirectoryStore, models: Path
) -> None:
    manifest = paint_job(directory_store, models, count=9)

    def names(seed: int, size: int = 4) -> list[str]:
        pictures = JobPictures(directory_store, manifest, manifest.targets, size, seed)
        found = [one.name for one in pictures.candidates()]
        assert pictures.total == len(found)
        return found

    assert names(1) == names(1)
    assert len(set(names(1))) == 4
    assert len({tuple(names(seed)) for seed in range(8)}) > 1
    assert len(names(1, size=100)) == 9
    seen = Counter(name for seed in range(40) for name in names(seed, size=1))
    assert len(seen) >= 7


@pytest.fixture
def run(
    directory_store: DirectoryStore, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(models))
    monkeypatch.setenv("DIPTYCH_STORE_URL", directory_store.url)
    monkeypatch.setenv("DIPTYCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["results", "verify", *map(str, arguments)])


def test_the_command(run: Run, directory_store: DirectoryStore, models: Path, tmp_path: Path) -> None:
    paint_job(directory_store, models)
    result = run(JOB)
    assert (result.exit_code, result.stdout) == (0, "6 pictures: 6 same\n")
    assert run(JOB, "--sample", 2, "--exact").stdout == "2 pictures: 2 same\n"
    name = image_name(JOB, "container", 2)
    good = tmp_path / "good.png"
    good.write_bytes(directory_store.read(name))
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:-30])
    result = run("good.png", "cut.png")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "ok  good.png: same: equal, pixel for pixel",
        "BAD  cut.png: damaged: damaged PNG: cut off",
        "2 pictures: 1 same, 1 damaged",
    ]
    replace(directory_store, name, good.read_bytes()[:-30])
    replace(directory_store, record_name(JOB, "container", 1), b"{", JSON_TYPE)
    result = run(JOB)
    assert result.exit_code == 1
    assert "3 pictures: 2 same, 1 changed, 1 damaged record" in result.stdout
    lines = [json.loads(line) for line in run(JOB, "--json").stdout.splitlines()]
    assert [one["good"] for one in lines[:-1]] == [True, True, False]
    assert lines[-1] == {
        "pictures": 3, "findings": {"same": 2, "changed": 1}, "damaged_records": 1, "tasks_without_record": 0,
    }  # fmt: skip


def test_wrong_use_is_told_in_a_line(run: Run, directory_store: DirectoryStore, models: Path) -> None:
    paint_job(directory_store, models, count=3)
    assert "give PNG files, or one JOB" in run("a", "b").stderr
    assert "are verified apart" in run("a.png", "--sample", 2).stderr
    assert "nope.png cannot be read: No such file" in run("nope.png").stderr
    assert "no job 'nope'" in run("nope").stderr
    assert "has no target function" in run(JOB, "-t", "function").stderr
    for index in range(1):
        directory_store.delete(record_name(JOB, "container", index))
    result = run(JOB)
    assert (result.exit_code, result.stdout) == (1, "0 pictures: 1 task not done, not looked at\n")
