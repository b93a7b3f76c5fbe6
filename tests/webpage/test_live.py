"""Go! on a whole stack, in a real browser: both panels fill, also for who comes back later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.stack import Stack
from tests.support.servers.watching import tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.stack]

LIMIT_MS = 60_000
COUNT = 48


def go(page: Page, stack: Stack, count: int) -> None:
    """Fill in the form and press the button."""
    page.goto(stack.addresses.page_url)
    page.get_by_label("Images", exact=True).fill(str(count))
    page.get_by_label("Seed").fill("7")
    page.get_by_role("button", name="More").click()
    page.get_by_label("Images per task").fill("4")
    page.get_by_role("button", name="Go!").click()
    page.wait_for_url("**/jobs/*")


def test_go_fills_both_panels_and_tells_their_times(browser: Browser, stack: Stack) -> None:
    with tab(browser, viewport={"width": 1280, "height": 900}) as page:
        go(page, stack, COUNT)
        for target in ("container", "function"):
            page.locator(f".panel[data-target={target}] .tile img.loaded").first.wait_for(timeout=LIMIT_MS)
        page.locator(".status[data-status=succeeded]").wait_for(timeout=LIMIT_MS)
        for target in ("container", "function"):
            panel = page.locator(f".panel[data-target={target}]")
            panel.locator(".tile img.loaded").nth(COUNT - 1).wait_for()
            panel.get_by_text(f"{COUNT} of {COUNT}").wait_for()
            text = panel.inner_text()
            for said in (
                f"{COUNT} of {COUNT}",
                "Round trip",
                "Process time",
                "Latency",
                "ms",
                "cold",
                "CPU",
                "MiB",
            ):
                assert said in text
        page.get_by_text("Container ÷ function").wait_for()
        page.get_by_role("tab", name="Times").click()
        assert page.locator("main").get_by_text("Load the model").is_visible()
        # Drawn with the browser's next frame.
        page.locator(".waterfall tbody tr").nth(2 * COUNT // 4 - 1).wait_for()


def test_a_closed_tab_is_taken_up_again(browser: Browser, stack: Stack) -> None:
    with tab(browser) as page:
        go(page, stack, 400)
        address = page.url
    with tab(browser) as page:
        page.goto(address)
        page.locator(".status[data-status=succeeded]").wait_for(timeout=LIMIT_MS)
        page.get_by_text("400 of 400").nth(1).wait_for()
        page.goto(f"{stack.addresses.page_url}jobs")
        page.locator(".job .name").nth(0).wait_for()
        assert address.rsplit("/", 1)[1] in page.locator(".jobs").inner_text()


def test_go_may_be_pressed_before_the_page_knows_the_models(browser: Browser, stack: Stack) -> None:
    with tab(browser) as page:
        held: list[Route] = []
        page.route("**/api/form-options", lambda route: held.append(route))
        page.goto(stack.addresses.page_url)
        page.get_by_label("Images", exact=True).fill("2")
        page.get_by_role("button", name="Go!").click()
        page.get_by_role("button", name="Sending…").wait_for()
        held[0].continue_()
        page.wait_for_url("**/jobs/*")
