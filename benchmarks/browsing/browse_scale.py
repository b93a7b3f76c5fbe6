"""Browsing large jobs, from `status` to `export`: time and peak memory by size and store.

    python -m benchmarks.browsing.browse_scale --images 10000 100000 --stores directory gcs --folder DIR

The jobs are written by this script: small PNGs of 64 pixels a side, 64 to a task, for two targets or those
named. The bucket is fake-gcs-server's, which loads the same folder into its memory: its latency is that of
loopback. It finds an object by looking through all of the bucket's, so that loading takes the square of their
number (1 s for 2,000, a minute for 20,000), and reading is slower in a larger bucket, which GCS is not. Each
size has a bucket of its own; for large ones take `--targets container`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.script import serving
from local.ports import HOST, answers, choose_port
from local.pubsub.gcs_server import gcs_binary
from results import naming
from results.documents import Manifest, PublishedChunk, dump
from results.imaging.png import encode, pixel_sha256
from results.imaging.provenance import Provenance
from results.record import ImageEntry, Record
from results.targets import PUSHED_TARGETS, Target

BUCKET: Final = "browse-scale"
SIDE: Final = 64
IMAGES_PER_TASK: Final = 64
DIGEST: Final = "sha256:" + "ab" * 32
START: Final = datetime(2026, 11, 25, 12, tzinfo=UTC)
SERVER_START_LIMIT_S: Final = 7200.0
"""It answers when it has loaded everything."""
COMMANDS: Final = {
    "status": ("status", "JOB"),
    "ls": ("results", "ls", "JOB"),
    "ls --records": ("results", "ls", "JOB", "--records", "--json"),
    "compare": ("results", "compare", "JOB", "--json"),
    "report": ("results", "report", "JOB", "-o", "OUT/report.html"),
    "cost": ("results", "cost", "JOB", "--json"),
    "export csv": ("results", "export", "JOB", "--format", "csv", "-o", "OUT/out.csv"),
    "export zip": ("results", "export", "JOB", "--format", "zip", "-o", "OUT/out.zip"),
    "export tar": ("results", "export", "JOB", "--format", "tar", "-o", "OUT/out.tar"),
    "export webdataset": ("results", "export", "JOB", "--format", "webdataset", "-o", "OUT/wds"),
    "export parquet": ("results", "export", "JOB", "--format", "parquet", "-o", "OUT/parquet"),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One command on one job.

    Args:
        images: of the job, per target.
        targets: how many.
        store: "directory" or "gcs".
        wall_s: from start to end of the process.
        cpu_s: user and system time of the process.
        rss_peak_bytes: its highest memory.
    """

    images: int
    targets: int
    store: str
    command: str
    wall_s: float
    cpu_s: float
    rss_peak_bytes: int


def write_job(folder: Path, images: int, targets: Sequence[Target] = PUSHED_TARGETS) -> str:
    """Write a finished job straight into the layout of the store; one that is there is kept.

    Args:
        folder: the store's root.
        images: per target.
        targets: whose.
    Returns:
        The job's name.
    """
    job_id = f"scale-{images}"
    manifest = Manifest(
        job_id=job_id, model="faces-64", model_digest=DIGEST, resolution=SIDE, count=images, seed=7,
        targets=tuple(targets), images_per_task=IMAGES_PER_TASK, submitted_at=START,
    )  # fmt: skip
    path = folder / naming.manifest_name(job_id)
    if path.exists():
        return job_id
    pictures = [_picture(number) for number in range(64)]
    for target in targets:
        (folder / naming.images_prefix(job_id, target)).mkdir(parents=True, exist_ok=True)
        (folder / naming.records_prefix(job_id, target)).mkdir(parents=True, exist_ok=True)
        for task in range(manifest.task_count):
            _write_task(folder, manifest, target, task, pictures)
    for first in range(0, manifest.task_count, 500):
        last = min(first + 499, manifest.task_count - 1)
        chunk = PublishedChunk(
            publication=0, first_task=first, last_task=last, targets=tuple(targets),
            publication_started_at=START, published_at=START,
        )  # fmt: skip
        marker = folder / naming.published_name(job_id, 0, first, last)
        marker.parent.mkdir(exist_ok=True)
        marker.write_bytes(dump(chunk))
    path.write_bytes(dump(manifest))
    return job_id


def _picture(number: int) -> tuple[bytes, str, str]:
    """A flat square with a bar, its hash and that of its pixels: small, since many are written."""
    pixels = np.full((SIDE, SIDE, 3), number * 3, dtype=np.uint8)
    pixels[number] = 255
    origin = Provenance(
        model="faces-64", model_digest=DIGEST, seed=7, index=number, engine="openvino", precision="fp32",
        isa="avx2",
    )  # fmt: skip
    png = encode(pixels, origin)
    return png, hashlib.sha256(png).hexdigest(), pixel_sha256(pixels)


def _write_task(
    folder: Path, job: Manifest, target: Target, task: int, pictures: Sequence[tuple[bytes, str, str]]
) -> None:
    entries = []
    for index in job.task_range(task):
        png, digest, pixel_digest = pictures[index % len(pictures)]
        (folder / naming.image_name(job.job_id, target, index)).write_bytes(png)
        entries.append(
            ImageEntry(
                index=index, seed=2**62 + index, sha256=digest, pixel_sha256=pixel_digest, bytes=len(png)
            )
        )
    record = Record(
        job_id=job.job_id, task_index=task, publication=0, target=target, submitted_at=START,
        publication_started_at=START, received_at=START, finished_at=START, instance_started_at=START,
        model_load_s=0.0, generate_s=1.5, encode_s=0.2, store_s=0.3, process_s=2.0, cpu_user_s=1.6,
        cpu_system_s=0.4, images_painted=len(entries), images_found=0, rss_peak_bytes=300 * 2**20,
        cold_start=task == 0, prior_requests=task, preloaded=False, instance_id=f"{target}-1",
        delivery_id=f"d{task}", message_id=f"m{task}", worker_revision="0.1.0", engine="openvino",
        engine_version="2026.4", precision="fp32", cpu_model="A CPU", isa="avx2", threads=1, batch_size=8,
        model=job.model, model_digest=DIGEST, seed=job.seed, image_count=len(entries), images=tuple(entries),
    )  # fmt: skip
    (folder / naming.record_name(job.job_id, target, task)).write_bytes(dump(record))


@contextmanager
def gcs_over(folder: Path) -> Iterator[str]:
    """A fake-gcs-server that has loaded the folders of `folder` as buckets; yields its URL."""
    port = choose_port(0, "fake-gcs-server", "")
    url = f"http://{HOST}:{port}"
    arguments = ["-backend", "memory", "-scheme", "http", "-host", HOST, "-port", str(port)]
    arguments += ["-data", str(folder), "-external-url", url, "-public-host", f"{HOST}:{port}"]
    argv = (gcs_binary(), *arguments, "-log-level", "warn")
    with serving(argv, lambda: "" if answers(port) else "no answer", SERVER_START_LIMIT_S):
        yield url


def measure(command: Sequence[str], environment: dict[str, str]) -> tuple[float, float, int]:
    """Run `diptych …` in a process of its own: wall seconds, CPU seconds, peak memory in bytes."""
    started_s = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", "from diptych.cli import main; main()", *command],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.monotonic() - started_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"error: diptych {' '.join(command)} ended with {process.returncode}")
    return wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def run(
    sizes: Sequence[int],
    stores: Sequence[str],
    names: Sequence[str],
    targets: Sequence[Target],
    folder: Path,
) -> Iterator[Measured]:
    """Yield a measurement per size, store and command; what an export wrote is removed at once."""
    out = folder / "out"
    for store, images in product(stores, sizes):
        root = folder / f"data-{images}-{len(targets)}" / BUCKET
        job_id = write_job(root, images, targets)
        with _opened(store, root) as environment:
            for name in names:
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir()
                command = [part.replace("JOB", job_id).replace("OUT", str(out)) for part in COMMANDS[name]]
                yield Measured(images, len(targets), store, name, *measure(command, environment))
                shutil.rmtree(out)


@contextmanager
def _opened(store: str, root: Path) -> Iterator[dict[str, str]]:
    if store == "directory":
        yield {"DIPTYCH_STORE_URL": root.resolve().as_uri()}
        return
    with gcs_over(root.parent) as url:
        yield {"DIPTYCH_STORE_URL": f"gs://{BUCKET}", "STORAGE_EMULATOR_HOST": url}


def main() -> None:
    """The command line: a line per measurement, as it comes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browsing.browse_scale", description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--stores", nargs="+", choices=["directory", "gcs"], default=["directory", "gcs"])
    parser.add_argument("--commands", nargs="+", choices=[*COMMANDS], default=[*COMMANDS])
    parser.add_argument("--targets", nargs="+", choices=[*PUSHED_TARGETS], default=[*PUSHED_TARGETS])
    parser.add_argument("--folder", type=Path, required=True, help="scratch: 0.9 GB for 100,000 images")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    for row in run(chosen.images, chosen.stores, chosen.commands, chosen.targets, chosen.folder):
        text = (
            f"{row.store:<9}  {row.images:>8,} images x {row.targets}  {row.command:<18}"
            f"  {row.wall_s:8.1f} s  CPU {row.cpu_s:7.1f} s  peak {row.rss_peak_bytes / 2**20:6.0f} MiB"
        )
        print(json.dumps(asdict(row)) if chosen.json else text, flush=True)


if __name__ == "__main__":
    main()
