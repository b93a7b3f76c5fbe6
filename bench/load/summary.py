"""What the requests of a run say: JSON, made of the raw rows alone, so that a partial run has it too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.load.generator.sample import Sample
from results.statistics.proportion import wilson_interval
from results.statistics.quantiles import quantile

PERCENTILES: Final = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
LAG_FLOOR_S: Final = 0.010
LAG_SHARE: Final = 0.05
"""Percentiles are refused when the 99th percentile of the lag is above both the floor and this share of the
median response time."""
CPU_LIMIT: Final = 0.9
"""And when the generator used more than this of a core: its own queue would be measured."""
FEWEST: Final = 30
"""Values that a mean's normal interval takes: of fewer it would be too narrow."""
_HDR_HIGHEST_US: Final = 3_600_000_000
_HDR_DIGITS: Final = 3


def quantities(samples: Sequence[Sample]) -> dict[str, NDArray[np.float64]]:
    """Values by name, of the requests that succeeded; `connect` and its like where a connection was opened.

    `latency_s` counts from the time that the task was scheduled for, refused attempts and waits included.
    """
    ok = [sample for sample in samples if sample.outcome == "ok"]
    return {
        "response_s": _array(sample.response_s for sample in ok),
        "latency_s": _array(sample.ended_s - sample.scheduled_s for sample in ok),
        "first_byte_s": _array(sample.first_byte_s for sample in ok),
        "connect_s": _array(sample.connect_s for sample in ok),
        "dns_s": _array(sample.dns_s for sample in ok),
        "tls_s": _array(sample.tls_s for sample in ok),
        "response_new_connection_s": _array(sample.response_s for sample in ok if sample.new_connection),
        "response_reused_connection_s": _array(
            sample.response_s for sample in ok if not sample.new_connection
        ),
        "shed_response_s": _array(sample.response_s for sample in samples if sample.outcome == "shed"),
        "lag_s": _array(sample.lag_s for sample in samples),
    }


def summarise(samples: Sequence[Sample], cpu_share: float | None) -> dict[str, Any]:
    """The figures of one target's measured requests.

    Args:
        samples: in any order.
        cpu_share: of a core, used by the generator; None if unknown (a run that was killed).
    """
    values = quantities(samples)
    why = lagged(values, cpu_share)
    counts = {kind: sum(sample.outcome == kind for sample in samples) for kind in ("ok", "shed", "error")}
    span_s = _span_s(samples)
    return {
        "requests": len(samples),
        **counts,
        "error_rate": counts["error"] / len(samples) if samples else None,
        "error_rate_interval": wilson_interval(counts["error"], len(samples)) if samples else None,
        "shed_rate": counts["shed"] / len(samples) if samples else None,
        "statuses": _statuses(samples),
        "errors": _errors(samples),
        "ok_per_s": counts["ok"] / span_s if span_s else None,
        "new_connections": sum(sample.new_connection for sample in samples),
        "percentiles_refused": why,
        "lag_told": "" if why else lag_note(values),
        "quantities": {
            name: describe(column, percentiles=not why) for name, column in values.items() if len(column)
        },
        "hdr_response_us": None if why else hdr(values["response_s"]),
        "hdr_latency_us": None if why else hdr(values["latency_s"]),
    }


def lagged(values: Mapping[str, NDArray[np.float64]], cpu_share: float | None) -> str:
    """Why percentiles cannot be given; "" if they can."""
    lag, response = values["lag_s"], values["response_s"]
    if cpu_share is not None and cpu_share > CPU_LIMIT:
        return f"the generator used {cpu_share:.0%} of a core (limit {CPU_LIMIT:.0%})"
    if not len(lag) or not len(response):
        return ""
    limit_s = max(LAG_FLOOR_S, LAG_SHARE * float(np.median(response)))
    p99 = float(np.percentile(lag, 99))
    if p99 > limit_s:
        return f"the generator lagged: p99 {1000 * p99:.1f} ms of its own (limit {1000 * limit_s:.1f} ms)"
    return ""


def lag_note(values: Mapping[str, NDArray[np.float64]]) -> str:
    """A lag that is no reason to refuse percentiles, but no small part of them either; "" if it is small."""
    lag, response = values["lag_s"], values["response_s"]
    if not len(lag) or not len(response):
        return ""
    p99, median = float(np.percentile(lag, 99)), float(np.median(response))
    if p99 <= LAG_SHARE * median:
        return ""
    return (
        f"the generator's own lag, p99 {1000 * p99:.1f} ms, is {p99 / median:.0%} of the median response, and"
        " may be in the times"
    )


def describe(values: NDArray[np.float64], *, percentiles: bool) -> dict[str, Any]:
    """Mean ± SD and the rest of one quantity. Intervals take the requests for independent of one another."""
    n, mean = len(values), float(values.mean())
    sd = float(values.std(ddof=1)) if n > 1 else None
    half = None if sd is None or n < FEWEST else 1.96 * sd / sqrt(n)
    found: dict[str, Any] = {
        "n": n,
        "mean": mean,
        "sd": sd,
        "mean_interval": None if half is None else [mean - half, mean + half],
        "min": float(values.min()),
        "max": float(values.max()),
    }
    if percentiles:
        ordered = np.sort(values)
        found["percentiles"] = [
            {"p": p, "value": float(np.quantile(ordered, p)), "interval": _interval(ordered, p)}
            for p in PERCENTILES
        ]
    return found


def hdr(values: NDArray[np.float64]) -> str | None:
    """An HDR histogram of microseconds, in its own compressed text form, to be merged with others."""
    from hdrh.histogram import HdrHistogram

    histogram = HdrHistogram(1, _HDR_HIGHEST_US, _HDR_DIGITS)
    for value in values:
        histogram.record_value(max(1, round(1e6 * float(value))))
    encoded: bytes | str = histogram.encode()
    return encoded.decode() if isinstance(encoded, bytes) else encoded


def _interval(ordered: NDArray[np.float64], p: float) -> list[float] | None:
    found = quantile(ordered, p)
    return [found.low, found.high] if found else None


def _array(values: Any) -> NDArray[np.float64]:
    return np.array([value for value in values if value is not None], dtype=np.float64)


def _span_s(samples: Sequence[Sample]) -> float:
    if not samples:
        return 0.0
    return max(sample.ended_s for sample in samples) - min(sample.due_s for sample in samples)


def _statuses(samples: Sequence[Sample]) -> dict[str, int]:
    found: dict[str, int] = {}
    for sample in samples:
        found[str(sample.status)] = found.get(str(sample.status), 0) + 1
    return dict(sorted(found.items()))


def _errors(samples: Sequence[Sample]) -> dict[str, int]:
    """libcurl's words without their figures, so that alike ones are counted together."""
    found: dict[str, int] = {}
    for sample in samples:
        if sample.error:
            words = " ".join(
                word for word in sample.error.split() if not any(mark.isdigit() for mark in word)
            )
            found[words] = found.get(words, 0) + 1
    return dict(sorted(found.items(), key=lambda item: -item[1])[:20])
