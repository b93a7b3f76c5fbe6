"""What tests everywhere share: real servers and a browser, one of each for the session; what was skipped."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support import missing
from tests.support.servers.gcs_fault_proxy import GcsFaultProxy, gcs_fault_proxy
from tests.support.servers.gcs_server import GcsServer, find_binary
from tests.support.servers.pubsub_emulator import PubSubEmulator, find_command

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start: a shell's background job hands SIGINT on as ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that build and run containers are run where -m asks for them, not because an engine answers."""
    if "containers" in config.option.markexpr:
        return
    asked_for = [item for item in items if item.get_closest_marker("containers")]
    if asked_for:
        config.hook.pytest_deselected(items=asked_for)
        items[:] = [item for item in items if item not in asked_for]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say last of all what was skipped for want of what, and how to install it."""
    lines = missing.summary(terminalreporter.getreports("skipped"))
    if lines:
        terminalreporter.section("skipped")
    for line in lines:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[GcsServer]:
    """A storage server; each test makes a bucket of its own."""
    server = GcsServer(find_binary())
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture
def proxy(gcs_server: GcsServer) -> Iterator[GcsFaultProxy]:
    """In front of the storage server: injects faults on order."""
    with gcs_fault_proxy(gcs_server) as running:
        yield running


@pytest.fixture(scope="session")
def emulator() -> Iterator[PubSubEmulator]:
    """A Pub/Sub emulator; each test takes a project of its own."""
    server = PubSubEmulator(find_command())
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium. Where there is none, skips on a laptop and fails in CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not path:
        missing.skip(missing.CHROMIUM)
    from playwright.sync_api import sync_playwright

    # Chromium's sandbox does not work for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=arguments)
        yield found
        found.close()
