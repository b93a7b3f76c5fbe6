"""Runs a load tool: what each of them is given."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError


@dataclass(frozen=True, slots=True)
class Load:
    """What a tool is to do: post one body to one URL again and again.

    Args:
        url: where to, on 127.0.0.1.
        body: JSON.
        users: connections; each sends its next request when the answer is there.
        seconds: counted from the end of the run's begin, where a tool can leave that out.
        folder: for its files.
    """

    url: str
    body: bytes
    users: int
    seconds: int
    folder: Path


def run(command: list[str], folder: Path) -> str:
    """Run a tool to its end; what it printed.

    Raises:
        BenchError: it failed.
    """
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=True)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout or "").strip().splitlines()[-1:]
        raise BenchError(f"{command[0]} failed: {error.returncode} {''.join(last)}") from error
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchError(f"{command[0]} failed: {error}") from error
    return done.stdout
