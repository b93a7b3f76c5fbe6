"""The page's benchmark, on a few images: its figures are measured, and fit each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.browsing.page import lines, measure

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.stack]


def test_it_measures_a_page_in_a_browser(browser: Browser) -> None:
    found = measure(browser, images=300, runs=2)
    first, sizes = found.first_image, found.sizes
    assert 0 < first.submit_ms < first.warm_ms
    assert sizes.packed < sizes.raw
    assert sizes.second_visit < sizes.first_visit, "what the browser has it does not fetch again"
    for cost in (found.live, found.opened, found.scrolled.cost):
        assert 0 < cost.script_ms < cost.busy_ms < 1000 * cost.wall_s
        assert cost.shift < 0.1, "a good page is said to stay below 0.1"
    assert found.home_shift < 0.1
    assert found.scrolled.frames > 0
    assert "300 followed live" in "\n".join(lines(found))
