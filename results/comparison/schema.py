"""What a comparison says, as documents: `--json` prints them. docs/statistics.md explains every key."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from results.comparison.parity import Parity
from results.documents import Document
from results.targets import Target

Warmth = Literal["cold", "warm"]
ONE_RUN: Final = "one run: descriptive"


class Percentile(Document):
    """One percentile of a sample, with its 95% interval; all None where the sample is too small.

    Args:
        p: which, in (0, 1).
        needed: the smallest sample that it can be estimated from.
    """

    p: float
    needed: int
    value: float | None
    low: float | None
    high: float | None


class Spread(Document):
    """A sample of one metric."""

    n: int
    mean: float
    median: float
    minimum: float
    maximum: float
    percentiles: tuple[Percentile, ...]


class TaskGroup(Document):
    """Tasks that may be pooled: all cold, or all warm.

    In JSON each metric of `results.comparison.metrics` is a key beside the others: a Spread, or null if no
    task has it.

    Args:
        tasks: how many.
        loading: of those, tasks during which the model was loaded.
    """

    tasks: int
    loading: int
    __pydantic_extra__: dict[str, Spread | None] = Field(init=False)

    model_config = ConfigDict(frozen=True, extra="allow")

    def of(self, name: str) -> Spread | None:
        """A metric by its name. Raises KeyError if there is no such metric."""
        return self.__pydantic_extra__[name]


class Errors(Document):
    """Tasks that ended without images, with Wilson's interval; the rate is None if no task has ended.

    Args:
        ended: tasks that are done, have failed or are dead letters.
        failed: those of them that are not done.
    """

    ended: int
    failed: int
    rate: float | None
    low: float | None
    high: float | None


class Throughput(Document):
    """Images per second, of each job: from its first publication to its last record."""

    jobs: int
    median: float
    minimum: float
    maximum: float


class TargetSummary(Document):
    """What one target did in the jobs.

    Args:
        target: who.
        server: what served it.
        tasks: records that can be read.
        left_out: those of them that found images of an earlier delivery: their times are not whole.
        unreadable: records beside them that are damaged, of a newer schema or of another place: in no figure.
        why_unreadable: what is wrong with the first of those, with its name; empty if there is none.
        instances: instances that served the rest.
        images: images in all records that can be read.
        images_per_s: throughput; None without records, and where over 1% of them are damaged.
        errors: how many tasks failed; one whose record is damaged did not.
        cold: the first task that each instance generated.
        warm: all others.
        rss_peak_bytes: the highest; None without tasks.
    """

    target: Target
    server: str
    tasks: int
    left_out: int
    unreadable: int
    why_unreadable: str
    instances: int
    images: int
    images_per_s: Throughput | None
    errors: Errors
    cold: TaskGroup
    warm: TaskGroup
    rss_peak_bytes: int | None


class Ratio(Document):
    """first / second within one job. Warm tasks are paired by task; cold ones, each target's first, are not.

    Args:
        quantity: name of the metric.
        warmth: of which tasks.
        pairs: tasks that are warm on both; for cold ones the smaller of the two counts.
        left_out: pairs with a value that is not above zero, which clocks that disagree can make.
        geometric_mean: None if there is no pair.
        geometric_sd: spread of the pairs, as a factor; None for cold ones, and below two pairs.
        minimum: smallest ratio of a pair; None for cold ones.
        maximum: largest ratio of a pair; None for cold ones.
        bias_warning: why tasks that failed, are not done, or whose record is damaged may have biased it;
            empty if they are few or none. In JSON it is called `doubt`.
    """

    quantity: str
    warmth: Warmth
    first: Target
    second: Target
    pairs: int
    left_out: int
    geometric_mean: float | None
    geometric_sd: float | None
    minimum: float | None
    maximum: float | None
    bias_warning: str = Field(alias="doubt")


class TrialRatio(Document):
    """first / second over several jobs, each of them one trial.

    Args:
        quantity: name of the metric.
        warmth: of which tasks.
        trials: jobs that have a value.
        geometric_mean: over trials; None without one.
        geometric_sd: between trials, as a factor; None below two trials.
        low: lower end of the 95% interval; None if there is none.
        high: its upper end.
        p_value: of "no difference", adjusted by Holm over all metrics; None if there is none.
        verdict: "container faster" and the like ("uses less" for CPU), "equivalent", "inconclusive"; None if
            the trials are too few.
        bias_warning: why tasks that failed, are not done, or whose record is damaged may have biased it; a
            verdict is then "inconclusive" whatever the figures say; empty if they are few or none. In JSON it
            is called `doubt`.
        trials_needed: about how many there should be, where that is more and the verdict "inconclusive".
        note: what else must be said of it.
    """

    quantity: str
    warmth: Warmth
    first: Target
    second: Target
    trials: int
    geometric_mean: float | None
    geometric_sd: float | None
    low: float | None
    high: float | None
    p_value: float | None
    verdict: str | None
    bias_warning: str = Field(alias="doubt")
    trials_needed: int | None
    note: str


class Trials(Document):
    """Several jobs, each a trial: what they say together, and by which method.

    Args:
        count: jobs.
        needed: trials that a verdict needs.
        confidence: of the intervals.
        margin: ratios from 1 / (1 + margin) to 1 + margin count as equal.
        method: of the intervals.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        ratios: per metric, warm before cold.
    """

    count: int
    needed: int
    confidence: float
    margin: float
    method: str
    resamples: int
    seed: int
    ratios: tuple[TrialRatio, ...]


class ComparedJob(Document):
    """A job that went in."""

    job_id: str
    status: str
    submitted_at: AwareDatetime
    seed: int


class Comparison(Document):
    """Targets, side by side.

    Args:
        title: what is compared with what.
        note: how far the figures carry, in a few words.
        jobs: what went in, in the order of submission.
        targets: in the jobs' order.
        ratios: within the job, if there is one job; else empty.
        trials: over jobs, if there are several; else None.
        parity: of each later target's images with the first one's.
        differences: conditions that were not equal on all targets, so that the figures may reflect them.
        remarks: what a reader must know besides.
    """

    schema_: Literal["diptych.comparison/1"] = Field("diptych.comparison/1", alias="schema")
    title: str
    note: str
    jobs: tuple[ComparedJob, ...]
    model: str
    model_digest: str
    precision: str
    image_count: int
    images_per_task: int
    targets: tuple[TargetSummary, ...]
    ratios: tuple[Ratio, ...]
    trials: Trials | None
    parity: tuple[Parity, ...]
    differences: tuple[str, ...]
    remarks: tuple[str, ...]
