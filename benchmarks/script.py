"""The command line of a measuring script: options, JSON or text, one line for what stands in the way."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from bench.errors import BenchError
from local.errors import StackError
from model.errors import ModelError
from pipeline.errors import PipelineError
from results.errors import ResultsError

Found = TypeVar("Found")
Option = tuple[str, Any] | tuple[str, Any, str]
"""A flag, its default, which tells its type, and what it means."""


def parser_of(description: str, options: Sequence[Option]) -> argparse.ArgumentParser:
    """A parser of these options, and of --json."""
    parser = argparse.ArgumentParser(description=description)
    for flag, default, *text in options:
        parser.add_argument(flag, type=type(default), default=default, help="".join(text) or None)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


@contextmanager
def serving(argv: Sequence[str], lacks: Callable[[], str], limit_s: float = 60.0) -> Iterator[None]:
    """Run a server beside the block, from when it lacks nothing any more.

    Args:
        argv: its command line.
        lacks: what is wanting; "" once it serves.
        limit_s: how long that may take.
    Raises:
        StackError: it ended, or the time was over.
    """
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        deadline_s = time.monotonic() + limit_s
        while why := lacks():
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise StackError(f"{argv[0]} did not start: {why}")
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


def run_script(
    parser: argparse.ArgumentParser,
    measure: Callable[[argparse.Namespace, Path], Found],
    text: Callable[[Found], str],
    *,
    document: Callable[[Any], Any] = asdict,
    sound: Callable[[Found], bool] = lambda _: True,
) -> None:
    """Measure, and print what came out; exit status 1 if it is not sound, or could not be measured.

    Args:
        parser: see `parser_of`.
        measure: given the options, and a folder that is removed afterwards.
        text: the result for people.
        document: the result as JSON.
        sound: whether the result is as it should be.
    """
    chosen = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="diptych-bench-") as folder:
            found = measure(chosen, Path(folder))
    except (BenchError, StackError, ModelError, PipelineError, ResultsError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")
    print(json.dumps(document(found)) if chosen.json else text(found))
    sys.exit(0 if sound(found) else 1)
