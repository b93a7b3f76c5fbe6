"""Generating a task's images in batches, while earlier ones are encoded and stored by other threads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.protocol import FlaggingEngine
from model.seeds import image_seed
from pipeline.models.engine_cache import Loaded
from pipeline.protocol.outcomes import Result
from pipeline.worker.attempt import Attempt
from pipeline.worker.stop_conditions import StopConditions
from results.imaging.png import encode, pixel_sha256
from results.imaging.provenance import Provenance
from results.imaging.stored_images import read_stored_image, store_image
from results.naming import image_name
from results.record import ImageEntry

BATCHES_IN_FLIGHT: Final = 2
"""Batches whose images may wait for the store: a slow store slows the generating, memory stays bounded."""


@dataclass(frozen=True, slots=True)
class Generated:
    """What came of generating.

    Args:
        entries: the images that are stored now, in any order.
        stop: the outcome to end with, if generating ended early; None if all is done.
    """

    entries: list[ImageEntry]
    stop: Result | None


class ImageGenerator:
    """Generates what is missing of one task.

    Args:
        attempt: the delivery in hand.
        loaded: the engine; in use by this object alone meanwhile.
        stop_conditions: what may end it early.
    """

    def __init__(self, attempt: Attempt, loaded: Loaded, stop_conditions: StopConditions) -> None:
        self._attempt = attempt
        self._loaded = loaded
        self._stop_conditions = stop_conditions
        self._task = attempt.task
        self._meter = attempt.meter
        self._in_flight: deque[Future[ImageEntry]] = deque()

    def read(self, indices: Sequence[int]) -> list[ImageEntry]:
        """Read the images that an earlier delivery has stored, checking that they are the ones asked for.

        Raises:
            ImageConflict: a stored image is of another model, seed, index or params.
            ImageError: a stored image is damaged.
            StoreError: the store failed.
        """
        return list(self._attempt.runtime.io.map(self._read_one, indices))

    def generate(self, indices: Sequence[int]) -> Generated:
        """Generate, encode and store images. When this returns or raises, no thread works for it any more.

        Args:
            indices: image indices in the job.
        Raises:
            ModelError, ImageConflict, StoreError: the first error of any image.
        """
        entries: list[ImageEntry] = []
        stop = None
        size = self._attempt.runtime.settings.batch_size
        pace = _Pace(self._loaded.info.seconds_per_image)
        try:
            for done in range(0, len(indices), size):
                batch = indices[done : done + size]
                stop = self._stop_conditions.before_batch(
                    done, pace.batch_s, pace.rest_s(len(indices) - done)
                )
                if stop:
                    break
                started_s = time.monotonic()
                images, flagged = self._generate(batch)
                self._settle(entries, down_to=(BATCHES_IN_FLIGHT - 1) * size)
                for place, (index, pixels) in enumerate(zip(batch, images, strict=True)):
                    finish = self._attempt.runtime.io.submit(self._finish, index, pixels, place in flagged)
                    self._in_flight.append(finish)
                pace.add(len(batch), time.monotonic() - started_s)
            self._settle(entries, down_to=0)
        finally:
            for future in self._in_flight:
                future.cancel()
            wait(self._in_flight)
        return Generated(entries, stop)

    def _generate(self, batch: Sequence[int]) -> tuple[NDArray[np.uint8], frozenset[int]]:
        seeds = [image_seed(self._task.seed, index) for index in batch]
        started_s = time.monotonic()
        with self._attempt.watchdog.watching():
            images = self._loaded.engine.generate(seeds, self._task.params)
        self._meter.add("generate", time.monotonic() - started_s)
        engine = self._loaded.engine
        return images, engine.flagged if isinstance(engine, FlaggingEngine) else frozenset()

    def _settle(self, entries: list[ImageEntry], *, down_to: int) -> None:
        while len(self._in_flight) > down_to:
            entries.append(self._in_flight[0].result())
            self._in_flight.popleft()

    def _finish(self, index: int, pixels: NDArray[np.uint8], flagged: bool) -> ImageEntry:
        provenance = self._provenance(index, flagged=flagged)
        started_s = time.monotonic()
        png = encode(pixels, provenance)
        digest = pixel_sha256(pixels)
        encoded_s = time.monotonic()
        self._meter.add("encode", encoded_s - started_s)
        seed = image_seed(self._task.seed, index)
        entry = store_image(self._attempt.runtime.store, self._name(index), png, provenance, seed, digest)
        self._meter.add("store", time.monotonic() - encoded_s)
        self._meter.count_image(found=entry.found)
        return entry

    def _read_one(self, index: int) -> ImageEntry:
        started_s = time.monotonic()
        seed = image_seed(self._task.seed, index)
        entry = read_stored_image(
            self._attempt.runtime.store, self._name(index), self._provenance(index), seed
        )
        self._meter.add("store", time.monotonic() - started_s)
        self._meter.count_image(found=True, generated=False)
        return entry

    def _name(self, index: int) -> str:
        return image_name(self._task.job_id, self._attempt.delivery.target, index)

    def _provenance(self, index: int, *, flagged: bool = False) -> Provenance:
        engine = self._loaded.engine
        return Provenance(
            model=self._task.model,
            model_digest=self._task.model_digest,
            seed=self._task.seed,
            index=index,
            params=self._task.params,
            engine=engine.name,
            precision=engine.precision,
            isa=engine.isa,
            flagged=flagged,
        )


class _Pace:
    """How fast this delivery generates; until a batch has been timed, the model's nominal time stands in."""

    def __init__(self, nominal_image_s: float) -> None:
        self.batch_s = 0.0
        self._nominal_image_s = nominal_image_s
        self._images = 0
        self._seconds = 0.0

    def add(self, images: int, seconds: float) -> None:
        self.batch_s = max(self.batch_s, seconds)
        self._images += images
        self._seconds += seconds

    def rest_s(self, images: int) -> float:
        image_s = self._seconds / self._images if self._images else self._nominal_image_s
        return images * image_s
