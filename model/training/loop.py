"""The training loop: steps, figures, sheets, saved states, a clean stop."""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch

from model.training.config import TrainingConfig
from model.training.dataset import open_dataset
from model.training.errors import DivergedError, TrainingError
from model.training.reuse.teacher import Teacher
from model.training.sheets import save_sheet
from model.training.state import RunFolder
from model.training.trainer import Trainer
from model.training.warm_start import warm_start

STEPS_PER_TICK = 50
SHEET_COLUMNS = 8

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """How a run stands, some fifty steps after the tick before.

    Args:
        images: real images shown since the run began.
        resolution: now trained, in pixels.
        alpha: how far it has faded in, 0..1.
        images_per_second: by the wall clock, since the tick before.
        figures: means of the losses and scores since then.
    """

    images: int
    resolution: int
    alpha: float
    images_per_second: float
    figures: dict[str, float]


class TrainingLoop:
    """A run of `Trainer.step` until the schedule ends or someone says stop.

    Args:
        trainer: the run.
        folder: where it is kept.
        on_tick: told how the run stands.
    """

    def __init__(self, trainer: Trainer, folder: RunFolder, on_tick: Callable[[Tick], None]) -> None:
        self.trainer = trainer
        self.folder = folder
        self.on_tick = on_tick
        self.stopping = False

    def stop(self) -> None:
        """Ask for an end after the step in hand."""
        self.stopping = True

    def run(self, stop_at_images: int) -> bool:
        """Train.

        Args:
            stop_at_images: end once so many real images were shown since the run began.
        Returns:
            True if that was reached, False if `stop` ended it. The state is saved in both cases.
        Raises:
            DivergedError: a loss or weight is not finite; the last saved state is left as it was.
            TrainingError: the run's folder cannot be written.
        """
        save_seconds = self.trainer.config.save_minutes * 60
        saved_at = time.monotonic()
        saved_images = -1
        while self.trainer.images < stop_at_images and not self.stopping:
            self._tick(stop_at_images)
            if time.monotonic() - saved_at >= save_seconds:
                self._save()
                saved_at, saved_images = time.monotonic(), self.trainer.images
        if saved_images != self.trainer.images:
            self._save()
        return self.trainer.images >= stop_at_images

    def _tick(self, stop_at_images: int) -> None:
        position = self.trainer.position
        before, began, cpu_began = self.trainer.images, time.monotonic(), time.process_time()
        sums: dict[str, torch.Tensor] = {}
        counts: dict[str, int] = {}
        for _ in range(STEPS_PER_TICK):
            if self.stopping or self.trainer.images >= stop_at_images:
                break
            for name, value in self.trainer.step().items():
                sums[name] = sums[name] + value if name in sums else value
                counts[name] = counts.get(name, 0) + 1
        if self.trainer.images == before:
            return  # told to stop before the first step: nothing to tell
        figures = {name: float(total) / counts[name] for name, total in sums.items()}
        self._refuse_infinite(figures)
        seconds = time.monotonic() - began
        shown = self.trainer.images - before
        tick = Tick(self.trainer.images, position.resolution, position.alpha, shown / seconds, figures)
        line = {
            "kimg": self.trainer.images / 1000,
            "resolution": position.resolution,
            "alpha": position.alpha,
        }
        cpu = {"wall_s": round(seconds, 3), "cpu_s": round(time.process_time() - cpu_began, 3)}
        try:
            self.folder.add_stats({**line, **figures, **cpu, "images_per_s": shown / seconds})
            self._sheet_if_due(before)
        except OSError as error:
            raise TrainingError(f"{self.folder.path}: cannot be written: {error.strerror}") from None
        self.on_tick(tick)

    def _sheet_if_due(self, images_before: int) -> None:
        every = self.trainer.config.sheet_kimg * 1000
        if images_before // every == self.trainer.images // every:
            return
        images = self.trainer.generate(self.trainer.sheet_latents).numpy()
        path = self.folder.path / "sheets" / f"{self.trainer.images / 1000:010.3f}k.png"
        save_sheet(images, path, SHEET_COLUMNS)

    def _refuse_infinite(self, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            if not math.isfinite(value):
                raise DivergedError(self._diverged(f"{name} is {value}"))

    def _save(self) -> None:
        if not self.trainer.is_finite():
            raise DivergedError(self._diverged("a weight is not finite"))
        self.folder.save_state(
            self.trainer.state_dict(), self.trainer.config, self.trainer.dataset.fingerprint
        )

    def _diverged(self, what: str) -> str:
        kept = (
            f"the last good state is kept in {self.folder.state_path}"
            if self.folder.state_path.exists()
            else "no state was saved yet"
        )
        return f"training diverged at {self.trainer.images / 1000:.1f} kimg: {what}; {kept}"


def open_run(
    config: TrainingConfig,
    data: Path,
    folder: RunFolder,
    cache: Path,
    start: Path | None = None,
    discriminator: Path | None = None,
    teacher: Path | None = None,
) -> Trainer:
    """Set a run up, or take it up where its folder says.

    Args:
        config: the run's config.
        data: the images; may be others than the run began with.
        folder: the run's folder.
        cache: where decoded images may be kept.
        start: checkpoint or run folder that a new run begins with; a run that has a state goes on from that.
        discriminator: where `start` is a checkpoint, the discriminator that goes with it.
        teacher: checkpoint of the config's teacher, at each start of the run.
    Raises:
        CheckpointError: `start`, `discriminator` or `teacher` cannot be read.
        TrainingError: the images or the state cannot be used, or there is no such device.
    """
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise TrainingError('device is cuda, but torch sees no CUDA device here; say device = "auto"')
    if config.threads:
        torch.set_num_threads(config.threads)
    if (config.teacher is None) != (teacher is None):
        raise TrainingError(
            "the config has no [teacher]: leave out --teacher, or say what weight it has"
            if config.teacher is None
            else "the config has a [teacher]: say which checkpoint with --teacher"
        )
    state = folder.load_state(config)
    dataset = open_dataset(data, config.resolution, cache)
    trainer = Trainer(config, dataset, device, Teacher(teacher, config) if teacher else None)
    if state is not None:
        trainer.load_state_dict(state)
        log.info("going on at %.1f kimg", trainer.images / 1000)
    elif start is not None:
        warm_start(trainer, start, discriminator)
        log.info("starting from %s at %.1f kimg", start, trainer.images / 1000)
    return trainer


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into a call of `stop`; the second one ends at once, as usual.

    Args:
        stop: called from the signal handler.
    """
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()
        for number, handler in kept.items():
            signal.signal(number, handler)

    for number in kept:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
