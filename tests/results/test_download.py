"""Copying a job: whole, checked, once, and from where it stopped."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from results import naming
from results.browse import list_images, read_image
from results.documents import JSON_TYPE, dump
from results.download import Download
from results.errors import ImageError
from results.stores.base import Store
from tests.support.builders.pictures import (
    JOB,
    manifest,
    picture,
    provenance,
    write_image,
    write_job,
    write_task,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where to copy to: it does not exist yet."""
    return tmp_path / "a" / "copy"


def relative(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_all_is_copied_as_it_is_stored(store: Store, folder: Path) -> None:
    job = write_job(store)
    fetched = [*Download(store, job, folder).run(job.targets)]
    prefix = naming.job_prefix(JOB)
    stored = {info.name.removeprefix(prefix) for info in store.list(prefix)}
    assert relative(folder) == stored
    assert len(fetched) == len(stored) == 1 + 2 * (3 + 10)
    assert sum(one.is_image for one in fetched) == 20
    assert not any(one.kept for one in fetched)
    for name in stored:
        assert (folder / name).read_bytes() == store.read(prefix + name)


def test_what_is_there_is_kept_and_what_is_damaged_is_copied_again(store: Store, folder: Path) -> None:
    job = write_job(store)
    list(Download(store, job, folder).run(job.targets))
    damaged, gone = folder / "container/images/00000002.png", folder / "function/images/00000009.png"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    gone.unlink()
    again = [*Download(store, job, folder).run(job.targets)]
    assert {one.name.removeprefix(naming.job_prefix(JOB)) for one in again if not one.kept} == {
        "container/images/00000002.png",
        "function/images/00000009.png",
    }
    assert damaged.read_bytes() == store.read(naming.image_name(JOB, "container", 2))


def test_images_of_unfinished_tasks_come_too(store: Store, folder: Path) -> None:
    job = manifest(targets=("container",))
    store.create(naming.manifest_name(JOB), dump(job), JSON_TYPE)
    write_task(store, job, "container", 0)
    write_image(store, job, "container", 4)
    list(Download(store, job, folder).run(job.targets))
    assert sorted(path.name for path in (folder / "container/images").iterdir()) == [
        f"{index:08d}.png" for index in range(5)
    ]
    assert all(one.kept for one in Download(store, job, folder).run(job.targets))


def test_an_interrupted_copy_leaves_no_part_and_goes_on(store: Store, folder: Path) -> None:
    job = write_job(store)
    copy = Download(store, job, folder).run(job.targets)
    for _ in range(5):
        next(copy)
    copy.close()  # type: ignore[attr-defined]
    files = relative(folder)
    assert 5 <= len(files) < 27
    assert not any(name.endswith(".part") for name in files)
    rest = [*Download(store, job, folder).run(job.targets)]
    assert sum(one.kept for one in rest) == len(files)
    assert len(relative(folder)) == 27


def test_parts_that_a_killed_download_left_are_removed(store: Store, folder: Path) -> None:
    job = write_job(store)
    images = folder / "container" / "images"
    images.mkdir(parents=True)
    dead = subprocess.Popen(["true"])
    dead.wait()
    for pid in (dead.pid, 10**20, os.getppid()):
        (images / f".00000002.png.{pid}.part").write_bytes(b"half")
    (images / "notes.part").write_bytes(b"the user's own")
    list(Download(store, job, folder).run(job.targets))
    left = {path.name for path in folder.rglob("*.part")}
    assert left == {f".00000002.png.{os.getppid()}.part", "notes.part"}, "one is being written"


def test_an_image_that_was_changed_since_its_record_is_refused(store: Store, folder: Path) -> None:
    job = write_job(store)
    name = naming.image_name(JOB, "function", 3)
    store.delete(name)
    store.create(name, b"something else", "image/png")
    with pytest.raises(ImageError, match=f"{name} is not the image that its record lists"):
        list(Download(store, job, folder).run(["function"]))
    assert not (folder / "function/images/00000003.png").exists()


def test_only_what_belongs_to_the_layout_is_taken(store: Store, folder: Path) -> None:
    job = write_job(store)
    for stranger in ("images/evil.sh", "images/deep/00000001.png", "records/notes.txt", "other/x"):
        store.create(f"{naming.target_prefix(JOB, 'container')}{stranger}", b"x", "text/plain")
    list(Download(store, job, folder).run(["container"]))
    assert len(relative(folder)) == 1 + 3 + 10


def test_a_folder_that_is_a_file_is_told(store: Store, folder: Path) -> None:
    job = write_job(store)
    folder.parent.mkdir()
    folder.touch()
    with pytest.raises(OSError, match="copy"):
        list(Download(store, job, folder).run(job.targets))


def test_images_are_listed_and_read_one_by_one(store: Store) -> None:
    write_job(store)
    assert [image.index for image in list_images(store, JOB, "container")] == [*range(10)]
    assert [image.index for image in list_images(store, JOB, "container", after_index=6)] == [7, 8, 9]
    image = read_image(store, JOB, "function", 4)
    assert image is not None
    assert (image.pixels == picture(4)).all()
    assert image.provenance == provenance(4)
    assert image.listed == next(list_images(store, JOB, "function", after_index=3))
    assert read_image(store, JOB, "function", 10) is None


def test_a_damaged_image_is_told_by_name(store: Store) -> None:
    name = naming.image_name(JOB, "function", 0)
    store.create(name, b"x", "image/png")
    with pytest.raises(ImageError, match=f"^{name}: "):
        read_image(store, JOB, "function", 0)
