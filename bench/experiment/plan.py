"""The experiment as its TOML file names it, before anything is measured."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bench.errors import BenchError

Metric = Literal["response_s", "first_byte_s", "process_s", "cpu_s_per_image"]
Phase = Literal["cold", "warm"]
METRICS: Final[tuple[Metric, ...]] = ("response_s", "first_byte_s", "process_s", "cpu_s_per_image")
PHASES: Final[tuple[Phase, ...]] = ("warm", "cold")
_INJECTED: Final = re.compile(r"(.+)_(ms|percent)")


class _Part(BaseModel):
    # A misspelt key would silently leave a default in place: it is refused.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Question(_Part):
    """What is asked: one metric in one phase, and the ratio that counts as equal."""

    metric: Metric
    phase: Phase = "warm"
    margin: float = Field(gt=0, le=10)


class Trials(_Part):
    """How it is asked.

    Args:
        pairs: trials of both targets; 20 or more for a verdict.
        seed: of the order.
        image_seed: of the images.
        warm: requests to each instance after its first ones, which are cold: one per slot.
        users: who send warm requests at once. A container refuses (503) who waits too long for a slot, and
            the pair fails: more than `slots` ask for that.
        timeout_s: of a request.
    """

    pairs: int = Field(20, ge=2, le=10_000)
    seed: int = Field(1, ge=0, lt=2**63)
    image_seed: int = Field(1, ge=0, lt=2**63)
    warm: int = Field(10, ge=1, le=10_000)
    users: int = Field(1, ge=1, le=64)
    timeout_s: float = Field(60.0, gt=0, le=600)


class Pinned(_Part):
    """What is the same for both.

    Args:
        cpus: cores that an instance may run on, the last ones of this machine.
        memory_mib: of data of each of its processes (RLIMIT_DATA), 512 or more; 0: no limit.
        slots: worker processes, the concurrency.
        engine: "openvino" or "torch".
        threads: of inference, per slot.
        batch_size: images between two looks at the job.
        model: registered name.
        images: per request.
    """

    cpus: int = Field(1, ge=1, le=1024)
    memory_mib: int = Field(4096, ge=0, le=2**20)
    slots: int = Field(1, ge=1, le=64)
    engine: Literal["openvino", "torch"] = "openvino"
    threads: int = Field(1, ge=1, le=64)
    batch_size: int = Field(8, ge=1, le=256)
    model: str = "faces-64"
    images: int = Field(1, ge=1, le=256)

    @model_validator(mode="after")
    def _check(self) -> Self:
        # Less than any Python process with a model needs, ours among them: it holds for a moment for us too.
        if 0 < self.memory_mib < 512:
            raise ValueError("memory_mib: 512 or more, or 0 for no limit")
        return self


class Deployed(_Part):
    """Deployed targets, for `--cloud`.

    Args:
        urls: of each target, by its name in the experiment.
        store: what they write to, gs://bucket: records tell who generated, and `process_s`; "": unknown.
        account: a service account to act for; "": the user's own.
        project: whose Cloud Monitoring is read; "": none.
    """

    urls: dict[str, str]
    store: str = ""
    account: str = ""
    project: str = ""


@dataclass(frozen=True, slots=True)
class Injection:
    """A known effect, to see whether it is found: a wait that counts as the target's.

    Args:
        ms: before each request.
        percent: of each response's own time, after it.
    """

    ms: float
    percent: float


class Experiment(_Part):
    """The whole file. `targets` are two names in the order of the ratio, and what each is.

    One that is run keeps `deployed` if it is run with --cloud, and loses it if not.
    """

    targets: dict[str, Literal["container", "function"]]
    question: Question
    trials: Trials = Trials()
    pinned: Pinned = Pinned()
    inject: dict[str, Annotated[float, Field(ge=0, le=60_000)]] = Field(default_factory=dict)
    deployed: Deployed | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.targets) != 2:
            raise ValueError('targets: name two, as container = "container" and function = "function"')
        if not all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name) for name in self.targets):
            raise ValueError("targets: names are made of a-z, 0-9 and -")
        for key in self.inject:
            found = _INJECTED.fullmatch(key)
            if not found or found[1] not in self.targets:
                raise ValueError(
                    f"inject.{key}: write TARGET_ms or TARGET_percent, of {', '.join(self.targets)}"
                )
        if self.inject and self.question.metric not in ("response_s", "first_byte_s"):
            raise ValueError("inject: a wait is seen in response_s and first_byte_s only")
        if self.deployed and self.deployed.urls.keys() != self.targets.keys():
            raise ValueError(f"deployed.urls: give one for each of {', '.join(self.targets)}")
        return self

    @property
    def names(self) -> tuple[str, str]:
        """First and second of the ratio."""
        first, second = self.targets
        return first, second

    def injection(self, name: str) -> Injection:
        """What a target's answers are delayed by."""
        return Injection(
            ms=self.inject.get(f"{name}_ms", 0.0), percent=self.inject.get(f"{name}_percent", 0.0)
        )

    @property
    def tasks(self) -> int:
        """Requests to each instance."""
        return self.pinned.slots + self.trials.warm


def load_experiment(path: Path) -> Experiment:
    """Read an experiment.

    Raises:
        BenchError: it cannot be read or makes no sense; the text names the key and what is wrong.
    """
    try:
        table: dict[str, Any] = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BenchError(f"{path} is not TOML: {error}") from error
    return parse_experiment(table, str(path))


def parse_experiment(table: dict[str, Any], where: str) -> Experiment:
    """Check an experiment. Raises BenchError, which begins with `where`."""
    try:
        return Experiment.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ")
        raise BenchError(
            f"{where}: {at + ': ' if at else ''}{text}; docs/experiment.md shows the form"
        ) from error


def order_of(experiment: Experiment) -> list[tuple[str, str]]:
    """Who goes first in each pair: half of the pairs either way, shuffled by the seed."""
    first, second = experiment.names
    pairs = experiment.trials.pairs
    stream = np.random.default_rng(experiment.trials.seed)
    swapped = np.arange(pairs) % 2 == int(stream.integers(2))
    stream.shuffle(swapped)
    return [(second, first) if swap else (first, second) for swap in swapped.tolist()]


def order_digest(order: list[tuple[str, str]]) -> str:
    """A short name of an order: equal seeds give equal ones."""
    return hashlib.sha256(repr(order).encode()).hexdigest()[:16]
