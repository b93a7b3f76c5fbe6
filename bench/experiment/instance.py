"""A fresh instance of a target that gets what the experiment pins: cores, memory, settings."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.errors import BenchError
from bench.experiment.plan import Pinned
from bench.load.workers import Worker, local_worker
from results.targets import Target

_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Fresh:
    """An instance that has just become ready, or deployed ones, of which none of this is known.

    Args:
        worker: it.
        store_url: where its images and records go; a fresh instance's ends with it. "": unknown.
        start_s: from its start until it was ready.
        headers: that let a request in.
    """

    worker: Worker
    store_url: str
    start_s: float | None
    headers: Callable[[], list[str]] = list


def cores_of(pinned: Pinned) -> list[int]:
    """The cores that an instance gets: the last ones, so that the sender has the first.

    Raises:
        BenchError: there are not so many.
    """
    usable = sorted(os.sched_getaffinity(0))
    if pinned.cpus > len(usable):
        raise BenchError(f"pinned.cpus = {pinned.cpus}: this machine lets us use {len(usable)} cores")
    return usable[-pinned.cpus :]


@contextmanager
def fresh_instance(target: Target, pinned: Pinned, log: Path, model_dir: Path | None) -> Iterator[Fresh]:
    """Start one, and end it with the block.

    Args:
        target: container or function.
        pinned: what it gets.
        log: its lines go there.
        model_dir: of models beside the shipped ones.
    Raises:
        StackError: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="dtx-") as name:
        folder = Path(name)
        starting = local_worker(target, folder, slots=pinned.slots, model_dir=model_dir, log=log)
        begun = time.perf_counter()
        with _limits(pinned):
            worker = starting.__enter__()
        start_s = time.perf_counter() - begun
        try:
            yield Fresh(worker, (folder / "store").as_uri(), start_s)
        finally:
            starting.__exit__(None, None, None)


@contextmanager
def _limits(pinned: Pinned) -> Iterator[None]:
    """Ours for a moment, so that what starts meanwhile inherits them."""
    before_cores = os.sched_getaffinity(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    variables = {
        "DIPTYCH_ENGINE": pinned.engine,
        "DIPTYCH_THREADS": str(pinned.threads),
        "DIPTYCH_BATCH_SIZE": str(pinned.batch_size),
        "DIPTYCH_PRELOAD": "false",
    }
    with _environment(variables):
        try:
            if pinned.memory_mib:
                limit = pinned.memory_mib * _MIB
                resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
            os.sched_setaffinity(0, cores_of(pinned))
            yield
        finally:
            os.sched_setaffinity(0, before_cores)
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
