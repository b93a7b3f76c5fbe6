"""A tab of the browser that notes all that must not happen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


WAIT_LIMIT_S: Final = 30.0


@contextmanager
def tab(browser: Browser, **options: Any) -> Iterator[Page]:
    """Open a tab; at its end nothing may have gone wrong in it, and it may have asked nobody but the page.

    Args:
        options: of the browser's context: viewport, colour scheme.
    """
    with browser.new_context(**options) as context:
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda said: wrong.append(said.text) if _is_bad(said.type, said.text) else None)
        page.on("request", lambda asked: _check(asked.url, wrong))
        yield page
        assert not wrong, "\n".join(wrong)  # in words: no test module, so pytest does not show it


def _is_bad(kind: str, text: str) -> bool:
    """A network interface that comes or goes (a container starts) is none of the page's doing."""
    return kind in ("error", "warning") and "ERR_NETWORK_CHANGED" not in text


def _check(url: str, wrong: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("data", "blob", "file") and parts.hostname != "127.0.0.1":
        wrong.append(f"asked {url}")


def is_wider_than_the_screen(page: Page) -> bool:
    """True if one could scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def wait_until(page: Page, expression: str) -> None:
    """Wait for a JavaScript expression to become true.

    Playwright's own `wait_for_function` looks a second time from within the page, where the policy forbids
    to evaluate text: it fails unless the expression is true at once.
    """
    deadline = time.monotonic() + WAIT_LIMIT_S
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(20)
