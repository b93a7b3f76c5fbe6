"""The page in a real browser: from Go! to the first image, what 5,000 images cost it, sizes, shifts.

    python -m benchmarks.browsing.page --images 5000 --runs 10

A stack of its own is started, and chromium without a window. All that is measured is measured inside the
browser: its own marks, its main thread's busy time, its record of layout shifts and of what it transferred.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.browsing.page_tab import Tab, new_tab
from benchmarks.script import parser_of, run_script
from local.options import StackOptions
from local.stack import running
from webpage.routes.assets import assets

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SMALL_COUNT: Final = 64
LIMIT_MS: Final = 300_000
WHEEL_PX: Final = 900
DONE: Final = ".job-head .status[data-status=succeeded]"


@dataclass(frozen=True, slots=True)
class FirstImage:
    """From Go! to the first image that is there to see, in milliseconds.

    Args:
        cold_ms: the first job after the stack's start: the workers load the model.
        warm_ms: median of the jobs after it.
        warm_ms_all: each of them.
        submit_ms: median time of the request that submits: the rest is queue, generating, news and thumbnail.
    """

    cold_ms: float
    warm_ms: float
    warm_ms_all: list[float]
    submit_ms: float


@dataclass(frozen=True, slots=True)
class MainThread:
    """What the browser's main thread was busy with over one stretch.

    Args:
        wall_s: how long the stretch was.
        busy_ms: CPU time of tasks of any kind; of that: scripts, layout and styles.
        blocking_ms: total blocking time by the clock: what tasks took over 50 ms each.
        longest_ms: the longest task; 0 if none took over 50 ms.
        nodes: elements at its end.
        heap_mib: JavaScript's heap at its end.
        shift: sum of layout shifts that no input explains.
    """

    wall_s: float
    busy_ms: float
    script_ms: float
    layout_ms: float
    blocking_ms: float
    longest_ms: float
    nodes: int
    heap_mib: float
    shift: float


@dataclass(frozen=True, slots=True)
class Scrolled:
    """Scrolling through a job from top to bottom.

    Args:
        frames: drawn meanwhile.
        frame_ms_median: between two of them; likewise the 99th percentile.
        cost: of the main thread.
    """

    frames: int
    frame_ms_median: float
    frame_ms_p99: float
    cost: MainThread


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes that a browser needs to show the page.

    Args:
        files: scripts, style sheets and the icon.
        raw: as they are; packed: gzipped, as they are sent.
        first_visit: transferred by the browser for `/`, headers, shell and the API's answers included.
        second_visit: the same once it has been there.
    """

    files: int
    raw: int
    packed: int
    first_visit: int
    second_visit: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it; `home_shift` is that of the start page, `images` those of the large job, per panel."""

    images: int
    first_image: FirstImage
    sizes: Sizes
    home_shift: float
    live: MainThread
    opened: MainThread
    scrolled: Scrolled


def measure(browser: Browser, images: int, runs: int) -> Figures:
    """Start a stack, and measure its page.

    Args:
        browser: chromium.
        images: of the large job, per panel.
        runs: small jobs for the time to the first image, the cold one included; at least 2.
    Raises:
        StackError: the stack did not start.
    """
    with tempfile.TemporaryDirectory(prefix="diptych-bench-") as name:
        options = StackOptions(Path(name), page=True, environment={"DIPTYCH_LOG_LEVEL": "WARNING"})
        with running(options) as stack:
            url = stack.addresses.page_url
            first_image, (sizes, shift) = _first_image(browser, url, runs), _visits(browser, url)
            with new_tab(browser) as tab:
                live = _follow(tab, url, images)
                job_url = tab.page.url
            with new_tab(browser) as tab:
                opened = _open(tab, job_url)
                scrolled = _scroll(tab)
    return Figures(images, first_image, sizes, shift, live, opened, scrolled)


def _first_image(browser: Browser, url: str, runs: int) -> FirstImage:
    took, submits = [], []
    for _ in range(runs):
        with new_tab(browser) as tab:
            _go(tab, url, SMALL_COUNT)
            tab.page.locator(".tile img.loaded").first.wait_for(timeout=LIMIT_MS)
            took.append(tab.between("diptych-go", "diptych-first-image"))
            submits.append(tab.request_ms("/api/jobs"))
            tab.page.locator(DONE).wait_for(timeout=LIMIT_MS)
    return FirstImage(took[0], median(took[1:]), took[1:], median(submits[1:]))


def _visits(browser: Browser, url: str) -> tuple[Sizes, float]:
    files = assets().files.values()
    with new_tab(browser) as tab:
        tab.goto(url)
        tab.page.locator(".latest .job").first.wait_for()
        first, shift = tab.transferred(), tab.shift()
        tab.goto(url)
        tab.page.locator(".latest .job").first.wait_for()
        second = tab.transferred()
    raw, packed = sum(len(file.content) for file in files), sum(len(file.packed) for file in files)
    return Sizes(len(files), raw, packed, first, second), shift


def _go(tab: Tab, url: str, count: int) -> None:
    tab.goto(url)
    tab.page.get_by_label("Images", exact=True).fill(str(count))
    tab.page.get_by_role("button", name="Go!").click()


def _follow(tab: Tab, url: str, images: int) -> MainThread:
    """The large job, followed live to its end."""
    tab.start()
    _go(tab, url, images)
    tab.page.locator(DONE).wait_for(timeout=LIMIT_MS)
    return MainThread(**tab.cost())


def _open(tab: Tab, job_url: str) -> MainThread:
    """The same job, opened when it is done."""
    tab.start()
    tab.goto(job_url)
    tab.page.locator(".panel[data-target=function] .tile img.loaded").first.wait_for(timeout=LIMIT_MS)
    tab.page.wait_for_load_state("networkidle")
    return MainThread(**tab.cost())


def _scroll(tab: Tab) -> Scrolled:
    page = tab.page
    page.mouse.move(400, 600)
    tab.start()
    tab.start_frames()
    while page.evaluate("scrollY + innerHeight < document.documentElement.scrollHeight - 2"):
        page.mouse.wheel(0, WHEEL_PX)
        page.wait_for_timeout(30)
    frames = tab.end_frames()
    cost = MainThread(**tab.cost())
    in_order = sorted(frames)
    return Scrolled(len(frames), median(frames), in_order[int(0.99 * (len(frames) - 1))], cost)


@contextmanager
def _browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        sys.exit("error: there is no chromium: apt-get install chromium")
    # Chromium's sandbox does not work for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def lines(found: Figures) -> Iterator[str]:
    """The figures in words."""
    first, sizes, scrolled = found.first_image, found.sizes, found.scrolled
    yield (
        f"Go! to the first image   warm {first.warm_ms:.0f} ms (median of {len(first.warm_ms_all)},"
        f" {min(first.warm_ms_all):.0f} to {max(first.warm_ms_all):.0f}; submitting {first.submit_ms:.0f}),"
        f" cold {first.cold_ms:.0f} ms"
    )
    yield (
        f"bytes                    {sizes.files} files, {sizes.raw:,} raw, {sizes.packed:,} gzipped;"
        f" first visit {sizes.first_visit:,}, second {sizes.second_visit:,}"
    )
    yield f"layout shift             start page {found.home_shift:.4f}"
    for name, cost in (
        (f"{found.images:,} followed live", found.live),
        (f"{found.images:,} opened", found.opened),
        (f"{found.images:,} scrolled", scrolled.cost),
    ):
        yield f"{name:<23}  {_cost(cost)}"
    yield (
        f"frames while scrolling   {scrolled.frames:,}, median {scrolled.frame_ms_median:.1f} ms,"
        f" p99 {scrolled.frame_ms_p99:.1f} ms"
    )


def _cost(cost: MainThread) -> str:
    return (
        f"main thread {cost.busy_ms:,.0f} ms CPU in {cost.wall_s:.1f} s (scripts {cost.script_ms:,.0f},"
        f" layout {cost.layout_ms:,.0f}), blocking {cost.blocking_ms:.0f} ms, longest {cost.longest_ms:.0f},"
        f" {cost.nodes:,} nodes, heap {cost.heap_mib:.1f} MiB, shift {cost.shift:.4f}"
    )


def main() -> None:
    """The command line."""
    options = (
        ("--images", 5000, "of the large job, per panel"),
        ("--runs", 10, "jobs for the time to the first image"),
    )
    parser = parser_of("Measure the page in a browser.", options)

    def measured(chosen: argparse.Namespace, _: Path) -> Figures:
        if chosen.runs < 2 or chosen.images < 1:
            parser.error("--runs must be at least 2, --images at least 1")
        with _browser() as browser:
            return measure(browser, chosen.images, chosen.runs)

    run_script(parser, measured, lambda found: "\n".join(lines(found)))


if __name__ == "__main__":
    main()
