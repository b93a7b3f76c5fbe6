"""A tab of a browser that measures itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

SIZE: Final = {"width": 1366, "height": 900}

# Runs before the page's own scripts. What is buffered before an observer exists is told to it.
_OBSERVE: Final = """
window.benchShift = 0;
window.benchLong = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.benchShift += one.value;
}).observe({ type: "layout-shift", buffered: true });
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.benchLong.push(one.duration);
}).observe({ type: "longtask", buffered: true });
"""
_START_FRAMES: Final = """() => {
  window.benchFrames = [];
  let last = 0;
  const frame = (now) => {
    if (!window.benchFrames) return;
    if (last) window.benchFrames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""
_END_FRAMES: Final = "() => { const frames = window.benchFrames; window.benchFrames = null; return frames; }"
_TRANSFERRED: Final = """() => ["navigation", "resource"]
  .flatMap((kind) => performance.getEntriesByType(kind))
  .reduce((sum, entry) => sum + entry.transferSize, 0)"""


class Tab:
    """One tab.

    Args:
        page: Playwright's page; nothing has been loaded.
        session: its developer tools.
    """

    def __init__(self, page: Page, session: CDPSession) -> None:
        self.page = page
        self._session = session
        self._before: dict[str, float] = {}
        self._started_s = 0.0
        # CPU time of the main thread: on a busy machine its wall time tells of the machine.
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def goto(self, url: str) -> None:
        """Load an address."""
        self.page.goto(url)

    def between(self, first: str, second: str) -> float:
        """Milliseconds from one of the page's marks to another."""
        taken = "(name) => performance.getEntriesByName(name)[0].startTime"
        return float(self.page.evaluate(taken, second)) - float(self.page.evaluate(taken, first))

    def request_ms(self, path: str) -> float:
        """How long the longest request for a path took."""
        asked = (
            "(path) => Math.max(...performance.getEntriesByType('resource')"
            ".filter((one) => new URL(one.name).pathname === path).map((one) => one.duration))"
        )
        return float(self.page.evaluate(asked, path))

    def transferred(self) -> int:
        """Bytes that came over the network for the present document, headers included."""
        return int(self.page.evaluate(_TRANSFERRED))

    def shift(self) -> float:
        """Sum of the layout shifts of the present document that no input explains."""
        return float(self.page.evaluate("window.benchShift"))

    def start(self) -> None:
        """Begin a stretch that `cost` ends."""
        self._before = self._metrics()
        self._started_s = time.monotonic()
        self.page.evaluate("() => { window.benchLong = []; window.benchShift = 0; }")

    def cost(self) -> dict[str, Any]:
        """What the main thread did since `start`: the fields of `benchmarks.browsing.page.MainThread`."""
        after, before = self._metrics(), self._before
        spent = {name: value - before.get(name, 0.0) for name, value in after.items()}
        long: list[float] = self.page.evaluate("window.benchLong")
        return {
            "wall_s": time.monotonic() - self._started_s,
            "busy_ms": 1000 * spent["TaskDuration"],
            "script_ms": 1000 * spent["ScriptDuration"],
            "layout_ms": 1000 * (spent["LayoutDuration"] + spent["RecalcStyleDuration"]),
            "blocking_ms": sum(task_ms - 50 for task_ms in long),
            "longest_ms": max(long, default=0.0),
            "nodes": int(after["Nodes"]),
            "heap_mib": after["JSHeapUsedSize"] / 2**20,
            "shift": self.shift(),
        }

    def start_frames(self) -> None:
        """Note from now on when frames are drawn."""
        self.page.evaluate(_START_FRAMES)

    def end_frames(self) -> list[float]:
        """Milliseconds between each two frames since `start_frames`."""
        frames: list[float] = self.page.evaluate(_END_FRAMES)
        return frames

    def _metrics(self) -> dict[str, float]:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: float(metric["value"]) for metric in metrics}


@contextmanager
def new_tab(browser: Browser) -> Iterator[Tab]:
    """A tab with an empty cache."""
    with browser.new_context(viewport=SIZE) as context:  # type: ignore[arg-type]  # a TypedDict of its own
        context.add_init_script(_OBSERVE)
        page = context.new_page()
        yield Tab(page, context.new_cdp_session(page))
