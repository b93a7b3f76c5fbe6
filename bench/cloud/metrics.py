"""Instance counts and billed time of a run, from Cloud Monitoring, where the user may read them.

Both are of whole minutes, of all that the service did meanwhile, whoever asked it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, floor
from typing import Any, Final

import requests

from bench.cloud.services import Service, service_of_url

ENDPOINT: Final = "https://monitoring.googleapis.com"
# https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run
RESOURCE: Final = "cloud_run_revision"
INSTANCES: Final = "run.googleapis.com/container/instance_count"
"""A gauge, by state: active or idle."""
BILLED: Final = "run.googleapis.com/container/billable_instance_time"
"""Seconds since the sample before: of instances that start, or have a request."""
PERIOD_S: Final = 60
LATE_S: Final = 240.0
"""Samples are taken every 60 s, and may be seen 180 s later."""
_LIMIT_S: Final = 30.0
_BAD: Final = (requests.RequestException, OSError, ValueError, KeyError, TypeError, AttributeError)
Headers = Callable[[], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked for.

    Args:
        service: whose.
        started_s: of the load, seconds since the epoch.
        ended_s: of the load.
    """

    service: Service
    started_s: float
    ended_s: float


def window_of(target: str, url: str, started_s: float, ended_s: float) -> Window:
    """The window of a target that answers at an address."""
    return Window(service_of_url(url) or Service(f"diptych-{target}"), started_s, ended_s)


def read_usage(
    project: str, windows: Mapping[Any, Window], tell: Callable[[str], None], *, patient: bool = True
) -> dict[str, Any]:
    """The usage of each target, once Cloud Monitoring shows all of it. Ctrl-C ends the waiting, no more.

    Args:
        project: of the services; "": nothing is read.
        windows: by target.
        tell: given lines for the user.
        patient: wait until the last minute can be seen; else read what there is.
    """

    def headers() -> Mapping[str, str]:
        return google_headers(project)

    if not project or not windows:
        return {}
    usage = {name: cloud_usage(project, window, headers, ENDPOINT) for name, window in windows.items()}
    seen_s = max(window.ended_s for window in windows.values()) + LATE_S
    permitted = any(part["permitted"] for part in usage.values())
    if permitted and patient and seen_s > time.time():
        until = datetime.fromtimestamp(seen_s).strftime("%H:%M:%S")
        tell(f"waiting for Cloud Monitoring's last figures until {until}; Ctrl-C reads what there is")
        with suppress(KeyboardInterrupt):
            time.sleep(max(0.0, seen_s - time.time()))
        usage = {name: cloud_usage(project, window, headers, ENDPOINT) for name, window in windows.items()}
    return usage


def cloud_usage(project: str, window: Window, headers: Headers, endpoint: str = ENDPOINT) -> dict[str, Any]:
    """Instances by state and billed seconds, each a note where it cannot be had.

    Args:
        project: of the service.
        window: which service, and when.
        headers: makes those that let us in.
        endpoint: of the API.
    """
    usage: dict[str, Any] = {"service": window.service.name, "permitted": True}
    for name, read in (("instances", _instances), ("billed", _billed)):
        try:
            usage[name] = read(_Asking(endpoint, project, window, headers()))
        except _BAD as error:
            usage["permitted"] = False
            usage[name] = {"note": f"not available: {' '.join(str(error).split())[:300]}"}
    seen = window.ended_s + LATE_S < time.time()
    usage["complete"] = seen
    if not seen:
        usage["note"] = "the last minutes may be missing: Cloud Monitoring shows them a few minutes late"
    return usage


def google_headers(project: str) -> dict[str, str]:
    """Of the application default credentials; a user's own are counted against the project's quota.

    Raises:
        OSError: there are none.
    """
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request
    from google.oauth2.credentials import Credentials as UserCredentials

    headers: dict[str, str] = {}
    try:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/monitoring.read"])
        credentials.refresh(Request())  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        raise OSError(f"no credentials ({error}): try `gcloud auth application-default login`") from error
    credentials.apply(headers)  # type: ignore[no-untyped-call]
    if isinstance(credentials, UserCredentials):
        headers.setdefault("x-goog-user-project", project)
    return headers


@dataclass(frozen=True, slots=True)
class _Asking:
    endpoint: str
    project: str
    window: Window
    headers: Mapping[str, str]

    def series(self, metric: str, aligner: str, *grouped: str) -> Iterator[dict[str, Any]]:
        """Series by minute, summed over all but what they are grouped by; page after page."""
        window, page = self.window, ""
        conditions = {
            "metric.type": metric,
            "resource.type": RESOURCE,
            "resource.labels.service_name": window.service.name,
            **({"resource.labels.location": window.service.region} if window.service.region else {}),
        }
        asked = {
            "filter": " AND ".join(f'{name}="{value}"' for name, value in conditions.items()),
            # Whole minutes, and one more: what happened is in the sample after it.
            "interval.startTime": _stamp(floor(window.started_s / PERIOD_S) * PERIOD_S),
            "interval.endTime": _stamp((ceil(window.ended_s / PERIOD_S) + 1) * PERIOD_S),
            "aggregation.alignmentPeriod": f"{PERIOD_S}s",
            "aggregation.perSeriesAligner": aligner,
            "aggregation.crossSeriesReducer": "REDUCE_SUM",
            "aggregation.groupByFields": list(grouped),
        }
        while True:
            answer = requests.get(
                f"{self.endpoint}/v3/projects/{self.project}/timeSeries",
                params={**asked, **({"pageToken": page} if page else {})},
                headers=dict(self.headers),
                timeout=_LIMIT_S,
            )
            if not answer.ok:
                raise OSError(f"{answer.status_code} {_reason(answer)}")
            document = answer.json()
            yield from document.get("timeSeries", [])
            page = document.get("nextPageToken", "")
            if not page:
                return


def _instances(asking: _Asking) -> dict[str, Any]:
    """The most at once, in all and by state."""
    by_state: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    together: dict[str, float] = defaultdict(float)
    for series in asking.series(INSTANCES, "ALIGN_MAX", "metric.labels.state"):
        state = series.get("metric", {}).get("labels", {}).get("state", "unknown")
        for at, value in _points(series):
            by_state[state][at] += value
            together[at] += value
    if not together:
        return {"note": _nothing(asking)}
    most = {f"most_{state}": max(points.values()) for state, points in sorted(by_state.items())}
    return {"most": max(together.values()), **most, "points": sorted(together.items())}


def _billed(asking: _Asking) -> dict[str, Any]:
    points: dict[str, float] = defaultdict(float)
    for series in asking.series(BILLED, "ALIGN_DELTA"):
        for at, value in _points(series):
            points[at] += value
    if not points:
        return {"note": _nothing(asking)}
    return {"sum_s": sum(points.values()), "points": sorted(points.items())}


def _points(series: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """End of the minute, and the value."""
    for point in series["points"]:
        (value,) = point["value"].values()
        yield point["interval"]["endTime"], float(value)


def _nothing(asking: _Asking) -> str:
    name = asking.window.service.name
    return f"no figures of a Cloud Run service {name} in project {asking.project} at that time"


def _reason(answer: requests.Response) -> str:
    """Google's own words where there are some."""
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return answer.reason


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
