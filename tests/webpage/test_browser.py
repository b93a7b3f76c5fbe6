"""The page in a real browser, on results that lie there already."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from results.gallery.place import FolderPlace
from results.gallery.write import write_gallery
from results.imaging.png import encode
from results.naming import image_name, record_name
from results.stores.directory import DirectoryStore
from tests.support.builders.pictures import JOB, manifest, picture, provenance, write_job
from tests.support.servers.page_server import PageServer
from tests.support.servers.watching import is_wider_than_the_screen, tab, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

pytestmark = pytest.mark.browser
PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("where", ["page", "bucket_page"])
def test_an_image_opens_beside_its_twin_with_all_that_is_known_of_it(
    browser: Browser, where: str, request: pytest.FixtureRequest
) -> None:
    server: PageServer = request.getfixturevalue(where)
    with tab(browser) as page:
        page.goto(f"{server.url}/jobs/{JOB}")
        page.locator(".tile img.loaded").nth(19).wait_for()
        page.locator(".panel[data-target=function] .tile[data-index='3']").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_text("Equal, pixel for pixel").wait_for()
        dialog.locator("figure img.loaded").nth(1).wait_for()
        text = dialog.inner_text()
        for said in ("Image 3", "Round trip", "faces-64", "diptych results verify", "SHA-256"):
            assert said in text
        assert "image=3" in page.url
        page.keyboard.press("ArrowRight")
        dialog.get_by_text("Image 4").wait_for()
        page.keyboard.press("Escape")
        # The browser tells of the closing only after the dialog is gone.
        wait_until(page, "document.activeElement.dataset.index === '4'")


def test_two_pictures_that_differ_are_shown_with_their_difference(browser: Browser, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "results")
    write_job(store)
    changed = picture(3).copy()
    changed[:8] += 40
    path = tmp_path / "results" / image_name(JOB, "function", 3)
    path.chmod(0o600)
    path.write_bytes(encode(changed, provenance(3)))
    server = PageServer(store.url, tmp_path)
    try:
        server.wait()
        with tab(browser) as page:
            page.goto(f"{server.url}/jobs/{JOB}?image=3")
            dialog = page.get_by_role("dialog")
            dialog.locator(".difference img.loaded").wait_for()
            assert re.search(r"dB PSNR · at most \d+ of 255, in 50\.0% of pixels", dialog.inner_text())
            assert "not the PNG that its record lists" in dialog.inner_text()
    finally:
        server.stop()


def test_damaged_records_are_told_beside_the_ratios(browser: Browser, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "results")
    write_job(store)
    name = record_name(JOB, "function", 1)
    (store.root / name).chmod(0o600)
    (store.root / name).write_bytes(b'{"<b>')
    server = PageServer(store.url, tmp_path)
    try:
        server.wait()
        with tab(browser) as page:
            page.goto(f"{server.url}/jobs/{JOB}")
            told = "1 warm task · one run: descriptive · 1 damaged record left out: may be biased"
            page.locator(".versus").get_by_text(told).wait_for()
            page.get_by_role("tab", name="Times").click()
            about = page.locator(".about-ratios")
            about.get_by_text(
                f"Function: 1 of 3 records left out, since damaged; the first: {name}"
            ).wait_for()
            assert "function: 1 damaged of at most 2 warm tasks, over 1%" in about.inner_text()
    finally:
        server.stop()


def test_the_keyboard_reaches_everything(browser: Browser, page: PageServer) -> None:
    with tab(browser) as view:
        view.goto(f"{page.url}/jobs/{JOB}")
        view.locator(".tile img.loaded").nth(19).wait_for()
        view.keyboard.press("Tab")
        assert view.evaluate("document.activeElement.className") == "skip"
        view.locator(".tile").first.focus()
        view.keyboard.press("ArrowRight")
        assert view.evaluate("document.activeElement.dataset.index") == "1"
        view.keyboard.press("End")
        assert view.evaluate("document.activeElement.dataset.index") == "9"
        view.keyboard.press("Enter")
        view.get_by_role("dialog").get_by_text("Image 9").wait_for()


def test_jobs_are_filtered_and_the_filter_is_part_of_the_address(browser: Browser, page: PageServer) -> None:
    with tab(browser) as view:
        view.goto(f"{page.url}/jobs")
        view.locator(".job").nth(1).wait_for()
        view.get_by_label("Target").select_option("function")
        view.get_by_text("1 job", exact=True).first.wait_for()
        assert view.locator(".job .name").all_inner_texts() == [JOB]
        view.reload()
        view.get_by_text("1 job", exact=True).first.wait_for()
        view.get_by_role("button", name="Clear").click()
        view.locator(".job").nth(1).wait_for()
        view.get_by_label("Seed").fill("12345")
        view.get_by_text("No job is like that.").first.wait_for()


@pytest.mark.parametrize(
    "path", ["/", "/jobs", f"/jobs/{JOB}", f"/jobs/{JOB}?view=timing", f"/jobs/{JOB}?image=2"]
)
def test_a_phone_need_not_scroll_sideways(browser: Browser, page: PageServer, path: str) -> None:
    with tab(browser, viewport=PHONE, has_touch=True, is_mobile=True) as view:
        view.goto(page.url + path, wait_until="load")
        view.locator("main > *").first.wait_for()
        view.wait_for_timeout(700)
        assert not is_wider_than_the_screen(view)


def test_it_is_dark_where_the_system_is_and_can_be_told_otherwise(browser: Browser, page: PageServer) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    with tab(browser, color_scheme="light") as view:
        view.goto(page.url)
        light = view.evaluate(colour)
    with tab(browser, color_scheme="dark") as view:
        view.goto(page.url)
        assert view.evaluate(colour) != light
        for _ in range(3):
            view.locator("#theme").click()
            if view.evaluate(colour) == light:
                break
        assert view.evaluate(colour) == light
        view.reload()
        assert view.evaluate(colour) == light, "the choice is kept"


def test_markup_in_what_a_user_names_is_text(browser: Browser, tmp_path: Path) -> None:
    """A job's own name cannot hold any; a model's name, parameters, and an address can be typed by hand."""
    store = DirectoryStore(tmp_path / "results")
    evil = "<img src=x onerror=document.title=1>"
    write_job(store, manifest(params={"prompt": evil}))
    stranger = tmp_path / "results" / "jobs" / evil.replace("/", "")
    stranger.mkdir()
    (stranger / "job.json").write_text("{}")
    server = PageServer(store.url, tmp_path)
    try:
        server.wait()
        with tab(browser) as page:
            for path in ("/jobs", f"/jobs/{JOB}", "/"):
                page.goto(server.url + path)
                page.locator("main > *").first.wait_for()
                page.wait_for_timeout(500)
                assert page.locator("img[src=x]").count() == 0
                assert page.title() != "1"
            page.goto(f"{server.url}/jobs/{JOB}")
            page.get_by_text("In a terminal").click()
            assert evil in page.locator("main").inner_text()
    finally:
        server.stop()


def test_thousands_of_images_are_only_drawn_where_they_are_seen(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DirectoryStore(tmp_path / "results")
    monkeypatch.setattr(os, "fsync", lambda _: None)  # the disk need not have them for good
    write_job(store, manifest(count=1500, images_per_task=250, targets=("container",)))
    server = PageServer(store.url, tmp_path)
    try:
        server.wait()
        with tab(browser) as page:
            page.goto(f"{server.url}/jobs/{JOB}")
            page.locator(".tile img.loaded").first.wait_for()
            assert page.locator(".tile").count() < 700
            page.evaluate("scrollTo(0, document.body.scrollHeight)")
            page.locator(".tile[data-index='1499'] img.loaded").wait_for()
            assert page.locator(".tile").count() < 700
            page.get_by_placeholder("Image").fill("750")
            page.keyboard.press("Enter")
            page.locator(".tile[data-index='750'] img.loaded").wait_for()
    finally:
        server.stop()


def test_a_gallery_needs_no_server(browser: Browser, folder_store: DirectoryStore, tmp_path: Path) -> None:
    job = manifest()
    place = FolderPlace(tmp_path, with_originals=True)
    assert {tile.state for tile in write_gallery(folder_store, job, place, job.targets)} == {"ok"}
    with tab(browser, viewport=PHONE) as page:
        page.goto((tmp_path / "index.html").as_uri())
        wait_until(page, "[...document.images].length === 20")
        page.evaluate("document.images[19].scrollIntoView()")
        wait_until(page, "[...document.images].every((image) => image.complete && image.naturalWidth === 16)")
        assert not is_wider_than_the_screen(page)
        page.locator("section[data-target='function'] a").nth(3).click()
        page.wait_for_url(re.compile(r"originals/function/images/00000003\.png$"))


def test_an_image_that_the_network_lost_is_fetched_again(browser: Browser, page: PageServer) -> None:
    lost: list[str] = []

    def lose_the_first(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort("connectionreset")

    with browser.new_context() as context:
        view = context.new_page()
        view.route("**/container/thumbnails/3.webp*", lose_the_first)
        view.goto(f"{page.url}/jobs/{JOB}")
        view.locator(".panel[data-target=container] .tile[data-index='3'] img.loaded").wait_for()
    assert lost
