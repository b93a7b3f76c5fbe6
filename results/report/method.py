"""The method in words, as the report states it. docs/statistics.md says the same at more length."""

from __future__ import annotations

from html import escape
from typing import Final

from results.comparison import metrics
from results.comparison.format import percent
from results.comparison.schema import Comparison
from results.statistics.missing import MAX_MISSING, most_missing

_OTHER_TERMS: Final = (
    (
        "cold",
        "The first task that an instance generates; the load of the model belongs to it. Never pooled with"
        " warm ones, shown with and without the load.",
    ),
    ("images per second", "Images of a job over the time from its first publication to its last record."),
    ("failed", "Tasks that ended as a failure or a dead letter, of all that have ended."),
)
_DESCRIBED: Final = (
    "Percentiles carry distribution-free intervals made of order statistics, from the smallest sample"
    " that allows one: 6, 36, 72 and 368 tasks for p50, p90, p95 and p99. The rate of failures carries"
    " Wilson's interval. Both take tasks to be independent, and tasks on one instance are not quite: they"
    " wait in the same queue and share a machine. Records of tasks that found images of an earlier"
    " delivery are left out, since their times are not whole. Records that are damaged, of a newer schema or"
    " of another place are left out too. A pair takes two sound records. Where more than {missing} of a"
    " target's tasks failed, are not done or have no sound record, what is compared may be biased, and"
    " decides nothing."
)
_ONE_JOB: Final = (
    "One run: descriptive. Targets are compared task by task: the ratio is the geometric mean over the"
    " tasks that were warm on both, the spread their geometric standard deviation. Cold tasks are rarely"
    " the same on both, so theirs is the ratio of geometric means. No interval and no verdict: another run"
    " may come out differently for reasons that no task of this one can show. Submit the job {needed}"
    " times or more and compare those."
)
_TRIALS: Final = (
    "Each job is one trial, and its value for a quantity is the mean log ratio within it (warm tasks"
    " paired by task). Trials are resampled, never tasks: tasks of a trial share what was particular to"
    " it, so that counting them as independent would find differences that are not there. Intervals:"
    " {method}, 95%, {resamples:,} resamples, seed {seed}. A target is faster if the p-value of “no"
    " difference”, corrected by Holm over the quantities (warm and cold being two families), is at most"
    " 5%; equivalent if the interval lies within the margin of {margin} and holds under the same"
    " correction; else the trials are inconclusive. Fewer than {needed} trials have no verdict."
)
_LIMITS: Final = (
    "Stamps of different machines are as good as the agreement of their clocks; durations come from"
    " monotonic clocks. Second-generation Cloud Functions run on Cloud Run: equal CPU, memory and"
    " concurrency come first. A comparison on one machine compares gunicorn with functions-framework"
    " there, and says nothing of Google Cloud."
)
_SOURCES: Final = (
    "B. Efron (1987), Better bootstrap confidence intervals. P. Hall (1988), On symmetric bootstrap"
    " confidence intervals. S. Holm (1979), A simple sequentially rejective multiple test procedure. T."
    " Kalibera and R. Jones (2013), Rigorous benchmarking in reasonable time. E. B. Wilson (1927),"
    " Probable inference, the law of succession, and statistical inference."
)


def method_section(comparison: Comparison, needed: int) -> str:
    """Definitions and method, as markup.

    Args:
        comparison: what the report is of.
        needed: trials that a verdict needs.
    """
    terms = [*((metric.label, metric.meaning) for metric in metrics.METRICS), *_OTHER_TERMS]
    listed = "".join(f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>" for term, meaning in terms)
    trials = comparison.trials
    if trials:
        compared = _TRIALS.format(
            method=trials.method,
            resamples=trials.resamples,
            seed=trials.seed,
            margin=percent(trials.margin),
            needed=needed,
        )
    else:
        compared = _ONE_JOB.format(needed=needed)
    most = most_missing(trials.margin) if trials else MAX_MISSING
    described = _DESCRIBED.format(missing=percent(most))
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in (described, compared, _LIMITS))
    return f'{paragraphs}<h3>Words</h3><dl>{listed}</dl><p class="small">{escape(_SOURCES)}</p>'
