"""Rendering a set of faces into a folder: in several processes, resumable, the same whatever the split."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.dataset.assets import data_folder
from model.dataset.errors import FacesError
from model.dataset.manifest import FacesConfig, open_folder, write_atomically
from model.dataset.portrait import render_portrait
from model.seeds import image_seed

CHUNK = 8
"""Pictures per piece of work: about a second."""

Progress = Callable[[int], None]
"""Called with the number of pictures that are there now."""


@dataclass(frozen=True)
class Written:
    """The result of a run: images rendered, and images that existed already."""

    rendered: int
    found: int


def write_faces(folder: Path, asked: FacesConfig, jobs: int, progress: Progress) -> Written:
    """Render a set of faces, or what is missing of it.

    Each picture appears whole or not at all, so a run may be interrupted at any time and taken up by the same
    call.

    Args:
        folder: where `{index:08d}.png` and `manifest.json` go.
        asked: the set.
        jobs: processes, at least 1; the pictures do not depend on it.
        progress: called with the number of finished images.
    Returns:
        Number of images rendered and of existing ones.
    Raises:
        AssetsError: the 3D data is not installed.
        FacesError: the folder holds another set or cannot be written, or a process died.
        KeyboardInterrupt: Ctrl-C; all that was rendered is kept.
    """
    if jobs < 1:
        raise FacesError(f"jobs {jobs} is less than 1")
    data_folder()
    config = open_folder(folder, asked)
    missing = [index for index in range(config.count) if not _has(folder, index)]
    found = config.count - len(missing)
    progress(found)
    chunks = list(_split(missing))
    done = found
    runner = _in_this_process if jobs == 1 else _in_processes
    try:
        for rendered in runner(folder, config, chunks, min(jobs, len(chunks))):
            done += rendered
            progress(done)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FacesError(f"cannot write to {folder}: {reason}; {_kept(folder, config)}") from error
    except BrokenProcessPool as error:
        raise FacesError(
            f"a rendering process was killed (out of memory?); {_kept(folder, config)}, "
            "the same command goes on from there"
        ) from error
    return Written(rendered=done - found, found=found)


def picture_path(folder: Path, index: int) -> Path:
    """Where a picture is stored."""
    return folder / f"{index:08d}.png"


def render_face(config: FacesConfig, index: int) -> NDArray[np.uint8]:
    """Picture `index` of a set: uint8 [size, size, 3], RGB."""
    return render_portrait(image_seed(config.seed, index), config.size)


def _has(folder: Path, index: int) -> bool:
    try:
        return picture_path(folder, index).stat().st_size > 0
    except FileNotFoundError:
        return False


def _kept(folder: Path, config: FacesConfig) -> str:
    """Counted anew: a chunk that broke off has left pictures too."""
    kept = sum(_has(folder, index) for index in range(config.count))
    return f"{kept:,} of {config.count:,} faces are kept"


def _split(indices: list[int]) -> Iterator[list[int]]:
    """Pieces of CHUNK indices."""
    rest = iter(indices)
    while piece := list(islice(rest, CHUNK)):
        yield piece


def _render_chunk(folder: Path, config: FacesConfig, indices: list[int]) -> int:
    for index in indices:
        content = io.BytesIO()
        Image.fromarray(render_face(config, index)).save(content, "PNG")
        write_atomically(picture_path(folder, index), content.getvalue())
    return len(indices)


def _in_this_process(folder: Path, config: FacesConfig, chunks: list[list[int]], _: int) -> Iterator[int]:
    for chunk in chunks:
        yield _render_chunk(folder, config, chunk)


def _in_processes(folder: Path, config: FacesConfig, chunks: list[list[int]], jobs: int) -> Iterator[int]:
    """Keep every process busy with one piece in hand and one waiting; on any error finish what is in hand."""
    if not chunks:
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_process)
    waiting = iter(chunks)
    running: set[Future[int]] = set()
    try:
        while True:
            for chunk in islice(waiting, 2 * jobs - len(running)):
                running.add(pool.submit(_render_chunk, folder, config, chunk))
            if not running:
                break
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_process() -> None:
    """In a new process: leave Ctrl-C to the parent, and end when the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent: BaseProcess | None = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
