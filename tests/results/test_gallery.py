"""`results gallery`: static pages that show what is there, say what is not, and run nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from diptych.cli import main
from results.documents import JSON_TYPE, Manifest, dump
from results.gallery.place import FolderPlace, StorePlace
from results.gallery.write import PER_PAGE, write_gallery
from results.job_state import JobState
from results.naming import image_name, manifest_name
from results.stores.base import Store
from results.stores.directory import DirectoryStore
from tests.support.builders.pictures import JOB, manifest, write_image, write_job


class Links(HTMLParser):
    """All that a page points to, and the elements that it is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.elements: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.targets += [value for name, value in attrs if name in ("src", "href") and value]


def command(store: Store, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["results", "gallery", *arguments, "--store", store.url])


def write(store: Store, job: Manifest, folder: Path) -> list[str]:
    """Write a gallery to a folder; the states of its tiles."""
    place = FolderPlace(folder, with_originals=False)
    return [tile.state for tile in write_gallery(store, job, place, job.targets)]


def test_every_link_of_a_folder_leads_to_a_file(directory_store: DirectoryStore, tmp_path: Path) -> None:
    write_job(directory_store)
    out = tmp_path / "out"
    result = command(directory_store, JOB, "-o", str(out), "--originals")
    assert result.exit_code == 0, result.output
    assert "20 images" in result.stdout
    found = Links((out / "index.html").read_text())
    assert len(found.targets) == 40
    assert all((out / target).is_file() for target in found.targets)
    original = out / "originals/function/images/00000003.png"
    assert original.read_bytes() == directory_store.read(image_name(JOB, "function", 3))


def test_into_the_store_links_to_the_images_there_and_may_be_repeated(store: Store) -> None:
    job = write_job(store, manifest(count=4))
    for _ in range(2):
        place = StorePlace(store, JOB)
        assert [tile.state for tile in write_gallery(store, job, place, job.targets)] == ["ok"] * 8
    found = Links(store.read(f"jobs/{JOB}/gallery/index.html").decode())
    images = {target for target in found.targets if target.endswith(".png")}
    assert {f"jobs/{JOB}/{target.removeprefix('../')}" for target in images} == {
        image_name(JOB, target, index) for target in job.targets for index in range(4)
    }
    state = JobState(store, job)
    state.refresh()
    assert state.targets["container"].counts().images_done == 4, "the gallery is no part of the job"


def test_a_gallery_is_written_again_when_more_is_there(directory_store: DirectoryStore) -> None:
    job = manifest(count=2, targets=("container",))
    directory_store.create(manifest_name(JOB), dump(job), JSON_TYPE)
    write_image(directory_store, job, "container", 0)
    first = [
        tile.state
        for tile in write_gallery(directory_store, job, StorePlace(directory_store, JOB), job.targets)
    ]
    write_image(directory_store, job, "container", 1)
    second = [
        tile.state
        for tile in write_gallery(directory_store, job, StorePlace(directory_store, JOB), job.targets)
    ]
    assert (first, second) == (["ok", "missing"], ["ok", "ok"])
    assert directory_store.read(f"jobs/{JOB}/gallery/index.html").count(b"<img") == 2


def test_a_large_job_is_paged_and_its_first_page_comes_last(
    directory_store: DirectoryStore, tmp_path: Path
) -> None:
    job = manifest(count=2 * PER_PAGE + 1, targets=("container",))
    for index in (0, PER_PAGE, 2 * PER_PAGE):
        write_image(directory_store, job, "container", index)
    tiles = write_gallery(directory_store, job, FolderPlace(tmp_path, with_originals=False), job.targets)
    for count, _ in enumerate(tiles, start=1):
        if count == PER_PAGE + 1:
            assert (tmp_path / "page-00002.html").exists()
            assert not (tmp_path / "index.html").exists()
    pages = [(tmp_path / name).read_text() for name in ("index.html", "page-00002.html", "page-00003.html")]
    for page, index in zip(pages, (0, PER_PAGE, 2 * PER_PAGE), strict=True):
        assert [target for target in Links(page).targets if target.startswith("thumbnails")] == [
            f"thumbnails/container/{index:08d}.webp"
        ]
    assert {"index.html", "page-00003.html"} < {*Links(pages[1]).targets}
    assert pages[1].count('aria-current="page">2<') == 2


def test_what_is_missing_or_damaged_has_its_place(directory_store: DirectoryStore, tmp_path: Path) -> None:
    job = manifest(count=3, targets=("container",))
    write_image(directory_store, job, "container", 0)
    directory_store.create(image_name(JOB, "container", 2), b"\x89PNG\r\n\x1a\ntorn", "image/png")
    assert write(directory_store, job, tmp_path) == ["ok", "missing", "damaged"]
    html = (tmp_path / "index.html").read_text()
    assert "Image 1 by the container: missing" in html
    assert "Image 2 by the container: damaged" in html


def test_markup_of_a_manifest_is_text_and_nothing_can_run(
    directory_store: DirectoryStore, tmp_path: Path
) -> None:
    evil = "<script>alert(1)</script>\"'"
    job = manifest(count=1).model_copy(update={"job_id": JOB, "model": evil})
    write_image(directory_store, job, "container", 0)
    write(directory_store, job, tmp_path)
    html = (tmp_path / "index.html").read_text()
    assert "&lt;script&gt;" in html
    assert Links(html).elements.isdisjoint({"script", "link", "iframe", "base", "form"})
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "script" not in policy[1]
    assert not re.search(r"(?:src|href)=\"?(?:https?:)?//", html), "it asks no other host"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([JOB], "say where to"),
        ([JOB, "-o", "x", "--into-store"], "say where to"),
        ([JOB, "--into-store", "--originals"], "--originals is for -o DIR"),
        (["no-such-job", "-o", "x"], "no-such-job"),
        (["../etc", "-o", "x"], "../etc"),
    ],
)
def test_bad_requests_are_told_in_one_line(
    directory_store: DirectoryStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_job(directory_store)
    result = command(directory_store, *arguments)
    assert result.exit_code != 0
    assert words in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "x").exists()


def test_a_folder_that_cannot_be_written_is_named(directory_store: DirectoryStore, tmp_path: Path) -> None:
    write_job(directory_store)
    (tmp_path / "file").write_text("")
    result = command(directory_store, JOB, "-o", str(tmp_path / "file" / "out"))
    assert result.exit_code != 0
    assert str(tmp_path / "file") in result.output
    assert "Traceback" not in result.output
