"""The two kinds of cold runs: what each measures of a start, and the words of its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.cold.sample import READY_S, ColdStart
from bench.runs.read import StoredRun

_DURATIONS: Final = ("model_load_s", "generate_s", "encode_s", "store_s", "process_s")


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind.

    Args:
        command: of its runs.
        columns: of its raw file.
        quantities: that its starts have.
        paired: of them, those that are compared pair by pair.
        steps: names of the way's steps, one after the other; they add up to png_s, or to response_s.
        steps_of: the steps of a start that was ok.
        steps_title: heading of table and plot.
        steps_axis: along the plot.
        distribution: the quantity whose distribution is drawn, its name, what it is of, the caption.
        method: how it was measured.
    """

    command: str
    columns: tuple[str, ...]
    quantities: tuple[str, ...]
    paired: tuple[str, ...]
    steps: tuple[str, ...]
    steps_of: Callable[[ColdStart], dict[str, float]]
    steps_title: str
    steps_axis: str
    distribution: tuple[str, str, str, str]
    method: str

    def read(self, row: Mapping[str, str]) -> ColdStart:
        """A start of the raw file. On this machine every one is cold. Raises KeyError, ValueError."""
        start = ColdStart.read(row, self.columns)
        if "phase" not in self.columns:
            start.phase = "cold"
        return start


def variant_of(run: StoredRun) -> Variant:
    """The kind of a run."""
    return CLOUD if run.configuration.get("command") == CLOUD.command else LOCAL


def _local_steps(start: ColdStart) -> dict[str, float]:
    parts = (
        *(start.interpreter_s, start.imports_server_s, start.first_request_s),
        *(start.model_load_s, start.generate_s),
    )
    return _with_rest(LOCAL.steps, parts, start.png_s)


def _cloud_steps(start: ColdStart) -> dict[str, float]:
    began, startup = start.began_s or 0.0, start.startup_s or 0.0
    # A process tells its start in whole seconds: one that seems to lie before the request took none of it.
    ahead = max(began, 0.0)
    parts = (ahead, max(began + startup - ahead, 0.0), start.model_load_s, start.generate_s)
    return _with_rest(CLOUD.steps, parts, start.response_s)


def _with_rest(
    names: tuple[str, ...], parts: tuple[float | None, ...], whole: float | None
) -> dict[str, float]:
    known = {name: part or 0.0 for name, part in zip(names, parts, strict=False)}
    return {**known, names[-1]: max((whole or 0.0) - sum(known.values()), 0.0)}


_LOCAL_METHOD: Final = (
    "Each start is a new process, its server and settings as in `diptych up` with one slot; its files"
    " are in the system's cache, but perhaps for the first starts of all: the process is cold, not the"
    " disk. The order of the targets alternates. listen_s is when the port takes connections (looked at"
    " every 5 ms), first_response_s when a first GET is answered: health of the container, any answer of"
    " the function. gunicorn listens before its worker has imported the app, functions-framework imports"
    " the function first, so listen_s alone compares nothing. Then one task of one image is pushed."
    " interpreter_s is a bare Python, measured just before; the imports step is the rest until the first"
    " response; the first request step is from there to the handler (clients, what is imported late);"
    " model load and first inference are the record's. png_s and record_s are the store's creation"
    " times. Intervals (95%) of means, and of the paired log ratios, are the bootstrap's, as in `results"
    " compare`, from 20 starts on; those of percentiles are order statistics', and percentiles that the"
    " sample is too small for are left out. Import seconds are of one profiled start each, which is"
    " slower than the others and is not among them."
)
LOCAL: Final = Variant(
    command="cold",
    columns=(
        *(
            "repeat",
            "position",
            "target",
            "outcome",
            "interpreter_s",
            "listen_s",
            "first_response_s",
            "sent_s",
        ),
        *("received_s", "png_s", "record_s", "response_s", *_DURATIONS, "status", "error"),
    ),
    quantities=(
        *("interpreter_s", "listen_s", "first_response_s", "png_s", "record_s", "response_s", *_DURATIONS),
        *("imports_server_s", "first_request_s"),
    ),
    paired=("first_response_s", "png_s"),
    steps=("interpreter", "imports, server", "first request", "model load", "first inference", "rest"),
    steps_of=_local_steps,
    steps_title="The way to the first stored image",
    steps_axis="mean, seconds since the process's start",
    distribution=(
        *("png_s", "first image stored", "starts"),
        "From the process's start to the first stored image.",
    ),
    method=_LOCAL_METHOD,
)
_CLOUD_METHOD: Final = (
    "Nobody outside can make a service end an instance or start one. A repeat waits so long that the"
    " platform may have ended them all, then sends a burst of tasks of one image at once, each on a new"
    " connection, to either target, the order alternating, and one more after it, for a warm one beside."
    " Records say who generated: cold is the first task of a process that was begun for it, ready the"
    f" first of one that had been there for more than {READY_S:.0f} s (min-instances, or started for"
    " another), warm any other. Only cold ones are measured; warm ones are those sent after a burst. A task"
    " of a burst that waited for an instance which another had made start is warm, and in neither. Response"
    " times are libcurl's. Until its process began: the platform's part, from sending to the process's start,"
    " by two clocks; start-up is from there to the handler, by the instance's own. Linux tells a process's"
    " start by a clock of whole seconds, so each is exact to a second; their sum does not depend on it."
    " Without load is the response without the model's load. A pair of a repeat is the mean log ratio of its"
    " cold starts; verdicts and intervals (95%) are those of `results compare`, from 20 on. Within a burst"
    " starts depend on one another: with more than one, intervals of means are too narrow. Which of the"
    " platform's machines has the image already, and so what is cold beside the process, nothing here shows."
)
CLOUD: Final = Variant(
    command="cold --cloud",
    columns=(
        *("repeat", "position", "target", "asked", "task", "phase", "outcome", "sent_s", "status"),
        *("response_s", "first_byte_s", "connect_s", "began_s", "startup_s", *_DURATIONS, "record_s"),
        *("prior_requests", "instance", "revision", "error"),
    ),
    quantities=(
        *("response_s", "first_byte_s", "connect_s", "began_s", "startup_s", *_DURATIONS, "record_s"),
        "without_load_s",
    ),
    paired=("response_s", "without_load_s"),
    steps=("until its process began", "start-up", "model load", "first inference", "rest"),
    steps_of=_cloud_steps,
    steps_title="The way to the answer",
    steps_axis="mean, seconds since the request was sent",
    distribution=(
        *("response_s", "response", "cold starts"),
        "From sending to the last byte, cold starts alone.",
    ),
    method=_CLOUD_METHOD,
)
