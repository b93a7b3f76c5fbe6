"""The requests as JMeter writes them: a JTL file in CSV, which JMeter's listeners and reports load."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Final

from bench.load.generator.sample import Sample

# https://jmeter.apache.org/usermanual/listeners.html#csvlogformat
_HEAD: Final = (
    *("timeStamp", "elapsed", "label", "responseCode", "responseMessage", "threadName", "success"),
    *("bytes", "grpThreads", "allThreads", "Latency", "Connect"),
)


def jtl(samples: Iterable[Sample], started_at_s: float, users: int) -> str:
    """The text of the file. Times are whole milliseconds, as JMeter has them.

    Args:
        samples: in any order.
        started_at_s: the run's start, seconds since the epoch.
        users: at the same time.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEAD)
    for sample in samples:
        connect_s = sample.connecting_s
        writer.writerow(
            (
                round(1000 * (started_at_s + sample.sent_s)),
                round(1000 * sample.response_s),
                sample.target if sample.phase == "measured" else f"{sample.target} {sample.phase}",
                sample.status or f"Non HTTP response code: {sample.error or 'none'}",
                sample.outcome if sample.status else sample.error,
                f"{sample.target} 1-{sample.task % max(users, 1) + 1}",
                "true" if sample.outcome == "ok" else "false",
                sample.bytes,
                users,
                users,
                round(1000 * (sample.first_byte_s or 0.0)),
                round(1000 * connect_s),
            )
        )
    return text.getvalue()
