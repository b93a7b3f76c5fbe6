"""A server of the benchmarks' own, in a process beside the one that measures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.errors import BenchError


@contextmanager
def server_process(module: str, arguments: Sequence[str] = ()) -> Iterator[str]:
    """Run `python -m MODULE ARGUMENTS`, which prints its port on 127.0.0.1 first; yields its URL.

    Raises:
        BenchError: it did not start.
    """
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise BenchError(f"{module} did not start")
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout:
            process.stdout.close()
