"""What a run of the tests says at its end, and what it starts by itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT
from tests.support.missing import summary


def skipped(reason: str, *, collecting: bool = False) -> pytest.TestReport | pytest.CollectReport:
    longrepr = ("a.py", 1, f"Skipped: {reason}")
    if collecting:
        return pytest.CollectReport("a.py", "skipped", longrepr, [])
    return pytest.TestReport("a.py::test", ("a.py", 1, "test"), {}, "skipped", longrepr, "setup")


def test_skipped_tests_are_counted_by_what_they_lack() -> None:
    reports = [skipped("gcloud: install it"), *[skipped("chromium: apt install chromium")] * 17]
    assert summary(reports) == [
        "17 tests need chromium: apt install chromium",
        "1 test needs gcloud: install it",
    ]


def test_a_whole_file_that_is_skipped_is_called_a_file() -> None:
    assert summary([skipped("numba: pip install it", collecting=True)]) == [
        "1 test file needs numba: pip install it"
    ]


@pytest.mark.parametrize(("asked", "collects"), [((), False), (("-m", "containers"), True)])
def test_tests_with_containers_run_only_where_they_are_asked_for(
    asked: tuple[str, ...], collects: bool
) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "tests/containers/test_engine.py",
        *asked,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == (pytest.ExitCode.OK if collects else pytest.ExitCode.NO_TESTS_COLLECTED)
    assert ("test_engine.py::" in done.stdout) is collects
