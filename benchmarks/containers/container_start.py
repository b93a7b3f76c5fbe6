"""How large each image is, and how long it takes from `docker run` to the first PNG.

python -m benchmarks.containers.container_start [--rounds 5] [--tag local] [--json]

container, function   an empty machine: the image starts, takes a push, loads the model, generates and stores
celery                a deliverer starts; its task waits in Redis, and the container is warm
cli                   `submit-job -n 1` starts; deliverer and container are warm
page                  the page starts, and serves a PNG that is stored already

All take turns, with what a deployed instance has: 1 CPU and 4 GiB. Images are on the disk, and in its cache.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Final
from uuid import uuid4

from bench.load.generator.pushes import Pushes
from benchmarks.containers.container_engine import ContainerEngine
from benchmarks.script import parser_of, run_script
from local.errors import StackError
from local.ports import HOST, choose_port
from model.registry import Registry
from pipeline.config.settings import Settings
from pipeline.errors import BrokerError
from producer.open_publisher import open_publisher
from producer.submit import JobRequest, draft_job, submit
from results.naming import image_name, record_name
from results.stores.open import open_store
from results.targets import Target

IMAGES: Final = ("container", "function", "celery", "cli", "page")
_IMAGE_OF: Final = {"cli": "page"}
"""Commands run in the page's image, as compose has them."""
LIMIT_S: Final = 120.0
POLL_S: Final = 0.003
MODEL: Final = "faces-64"
_PUSH_PATH: Final = "/projects/local/topics/diptych-tasks"
"""At the function; the container takes pushes at `/`."""
_STORE: Final = "DIPTYCH_STORE_URL=file:///results"
_WARM: Final = ("warm-redis", "warm-container", "warm-celery")


@dataclass(frozen=True, slots=True)
class Start:
    """One start.

    Args:
        image: which.
        first_png_s: from `docker run` to the first PNG stored; of the page: served.
        received_s: of that, until the task was in a worker's hands.
        model_load_s: of that, until the model was loaded; 0 if it was.
    """

    image: str
    first_png_s: float
    received_s: float | None = None
    model_load_s: float | None = None


class Bed:
    """Redis and one warm container on a folder, and everything that is started beside them.

    Args:
        engine: where.
        folder: the store's. Our containers run as whoever owns it, unlike a deployed one.
    """

    def __init__(self, engine: ContainerEngine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._redis_port = choose_port(0, "redis", "")
        self._mount = (f"--volume={folder}:/results", f"--user={os.getuid()}:{os.getgid()}")
        self._model = Registry().get(MODEL)

    def warm_up(self) -> None:
        """Start what is warm in the measurements, and have it generate once."""
        self._engine.run(
            "redis:7-alpine",
            ["--name=warm-redis", "--network-alias=redis", "--user=999:1000", "--tmpfs=/data:mode=1777",
             f"--publish={HOST}:{self._redis_port}:6379"],
        )  # fmt: skip
        self._run_worker("container", "--name=warm-container", "--network-alias=container")
        self._run_celery("--name=warm-celery")
        _wait(lambda: self._submit() is not None, "Redis did not answer")
        _wait(lambda: any(self._folder.rglob("*.png")), "the warm container did not generate")

    def start(self, image: str) -> Start:
        """Start one image, wait for its first PNG, and remove it."""
        try:
            if image == "page":
                return self._start_page()
            if image in ("container", "function"):
                return self._start_worker("container" if image == "container" else "function")
            return self._start_celery() if image == "celery" else self._start_cli()
        finally:
            self._engine.remove(but=_WARM)

    def _start_worker(self, target: Target) -> Start:
        job, port = _new_job(), choose_port(0, target, "")
        body = Pushes(job, self._model, target, images=1, seed=1).body(0, 1)
        path = "/" if target == "container" else _PUSH_PATH
        at, began_s = time.time(), time.monotonic()
        self._run_worker(target, f"--publish={HOST}:{port}:8080")
        threading.Thread(target=_push, args=(port, path, body), daemon=True).start()
        return self._first_png(target, target, job, at, began_s)

    def _start_celery(self) -> Start:
        """The warm deliverer is away meanwhile: the task waits for the new one."""
        self._engine.remove(but=("warm-redis", "warm-container"))
        job = self._submit()
        assert job is not None
        at, began_s = time.time(), time.monotonic()
        self._run_celery("--name=warm-celery")
        return self._first_png("celery", "container", job, at, began_s)

    def _start_cli(self) -> Start:
        job = _new_job()
        at, began_s = time.time(), time.monotonic()
        command = ("submit", "-n", "1", "--target", "container", "--job", job, "--no-push")
        self._engine.run(self._engine.image(_IMAGE_OF["cli"]), self._options(), command)
        return self._first_png("cli", "container", job, at, began_s)

    def _start_page(self) -> Start:
        png = next(self._folder.rglob("*.png")).relative_to(self._folder)
        port, began_s = choose_port(0, "page", ""), time.monotonic()
        self._engine.run(self._engine.image("page"), [*self._options(), f"--publish={HOST}:{port}:7435"])
        path = f"/jobs/{png.parts[1]}/{png.parts[2]}/images/{int(png.stem)}.png"
        _wait(lambda: _get(port, path)[:4] == b"\x89PNG", "the page served no image")
        return Start("page", time.monotonic() - began_s)

    def _first_png(self, image: str, target: Target, job: str, at: float, began_s: float) -> Start:
        png = self._folder / image_name(job, target, 0)
        _wait(png.exists, f"{image} stored no image")
        first_png_s = time.monotonic() - began_s
        path = self._folder / record_name(job, target, 0)
        _wait(path.exists, f"{image} stored no record")
        record = json.loads(path.read_bytes())
        received = datetime.fromisoformat(record["received_at"]).timestamp()
        return Start(image, first_png_s, received - at, record["model_load_s"] or 0.0)

    def _run_worker(self, target: Target, *options: str) -> None:
        environment = ("--env=DIPTYCH_PUSH_AUTH=off", f"--env={_STORE}", *self._mount)
        self._engine.run(self._engine.image(target), [*environment, *options])

    def _run_celery(self, *options: str) -> None:
        environment = ("--env=DIPTYCH_TARGET=container", "--env=DIPTYCH_CONTAINER_URL=http://container:8080/")
        self._engine.run(self._engine.image("celery"), [*self._options(), *environment, *options])

    def _options(self) -> list[str]:
        return [f"--env={_STORE}", "--env=DIPTYCH_BROKER_URL=redis://redis:6379/0", *self._mount]

    def _submit(self) -> str | None:
        """Submit a job of one image from here; None if Redis does not answer yet."""
        settings = Settings(broker_url=f"redis://{HOST}:{self._redis_port}/0")
        request = JobRequest(model=MODEL, count=1, targets=("container",), seed=1, job_id=_new_job())
        draft = draft_job(request, Registry())
        try:
            with closing(open_publisher(settings)) as publisher:
                submit(open_store(self._folder.as_uri()), publisher, draft, push=False)
        except BrokerError:
            return None
        return draft.manifest.job_id


def measure(engine: ContainerEngine, rounds: int, folder: Path) -> list[Start]:
    """Start all images in turns.

    Args:
        engine: where.
        rounds: starts of each image.
        folder: of the store, empty.
    Raises:
        StackError: an image did not start, or stored nothing.
    """
    with engine.network():
        bed = Bed(engine, folder.resolve())
        try:
            bed.warm_up()
            return [bed.start(image) for _ in range(rounds) for image in IMAGES]
        except StackError as error:
            ended = ", ".join(engine.ended())
            raise StackError(f"{error}; ended meanwhile: {ended}" if ended else str(error)) from error


def report(found: list[Start], sizes: dict[str, int]) -> list[str]:
    """What it came to, in lines."""
    lines = [
        f"{'image':<10} {'size':>7}  {'first PNG: median (least to most)':<34} received  model loaded in"
    ]
    for image in IMAGES:
        runs = [run for run in found if run.image == image]
        times = [run.first_png_s for run in runs]
        took = f"{median(times):.2f} s ({min(times):.2f} to {max(times):.2f})"
        parts = ""
        if runs[0].received_s is not None:
            received = median(run.received_s or 0.0 for run in runs)
            loaded = median(run.model_load_s or 0.0 for run in runs)
            parts = f"{received:.2f} s    {f'{loaded:.2f} s' if loaded else '-'}"
        lines.append(f"{image:<10} {sizes[image] / 1e6:>4.0f} MB  {took:<34} {parts}".rstrip())
    return lines


def _new_job() -> str:
    return f"start-{uuid4().hex[:12]}"


def _push(port: int, path: str, body: bytes) -> None:
    """Post until it is taken: the port is the engine's own before the server listens behind it."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        with closing(http.client.HTTPConnection(HOST, port, timeout=LIMIT_S)) as connection:
            try:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", path, body, headers)
                if connection.getresponse().status < http.HTTPStatus.MULTIPLE_CHOICES:
                    return
            except (OSError, http.client.HTTPException):
                pass
        time.sleep(POLL_S)


def _get(port: int, path: str) -> bytes:
    with closing(http.client.HTTPConnection(HOST, port, timeout=LIMIT_S)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return b""


def _wait(done: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not done():
        if time.monotonic() > deadline:
            raise StackError(f"{otherwise} within {LIMIT_S:g} s")
        time.sleep(POLL_S)


def main() -> None:
    """The command line."""
    options = (
        ("--rounds", 5, "starts of each image"),
        ("--tag", "local", "of the images: diptych-container:TAG"),
    )

    def measured(chosen: argparse.Namespace, folder: Path) -> tuple[list[Start], dict[str, int]]:
        engine = ContainerEngine(chosen.tag)
        engine.check()
        sizes = {image: engine.size_bytes(_IMAGE_OF.get(image, image)) for image in IMAGES}
        return measure(engine, chosen.rounds, folder), sizes

    run_script(
        parser_of("Measure images: size, and start to first PNG.", options),
        measured,
        lambda found: "\n".join(report(*found)),
        document=lambda found: {"size_bytes": found[1], "starts": [asdict(start) for start in found[0]]},
    )


if __name__ == "__main__":
    main()
