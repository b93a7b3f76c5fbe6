"""Instance counts and billed time of a run, from Cloud Monitoring, where the user may read them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import requests

ENDPOINT: Final = "https://monitoring.googleapis.com"
# https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run
METRICS: Final = {
    "instances": ("run.googleapis.com/container/instance_count", "ALIGN_MAX"),
    "billable_s": ("run.googleapis.com/container/billable_instance_time", "ALIGN_DELTA"),
}
_LIMIT_S: Final = 30.0
_ALIGN: Final = "60s"


def cloud_usage(
    project: str,
    service: str,
    started_s: float,
    ended_s: float,
    access_token: Callable[[], str],
    endpoint: str = ENDPOINT,
) -> dict[str, Any]:
    """Each metric's points, and its sum (seconds) or maximum (instances); or a note why there are none.

    Args:
        project: of the service.
        service: name of the Cloud Run service; a function of the second generation is one too.
        started_s: of the run, seconds since the epoch.
        ended_s: of the run.
        access_token: makes one.
        endpoint: of the API.
    """
    found: dict[str, Any] = {}
    for name, (metric, aligner) in METRICS.items():
        try:
            points = _points(endpoint, project, service, metric, aligner, started_s, ended_s, access_token())
        except (requests.RequestException, OSError, ValueError) as error:
            found[name] = {"note": f"not available: {' '.join(str(error).split())[:300]}"}
            continue
        combined = sum(points) if name == "billable_s" else max(points, default=0.0)
        found[name] = {"points": points, "sum" if name == "billable_s" else "most": combined}
    found["note"] = "Cloud Monitoring shows these a few minutes late: read them again with `gcloud` if empty"
    return found


def google_access_token() -> str:
    """Of the application default credentials.

    Raises:
        OSError: there are none.
    """
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request

    try:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/monitoring.read"])
        credentials.refresh(Request())  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        raise OSError(f"no credentials ({error})") from error
    return str(credentials.token)


def _points(
    endpoint: str,
    project: str,
    service: str,
    metric: str,
    aligner: str,
    started_s: float,
    ended_s: float,
    token: str,
) -> list[float]:
    """Values per minute, summed over what the service's series are split by."""
    answer = requests.get(
        f"{endpoint}/v3/projects/{project}/timeSeries",
        params={
            "filter": f'metric.type="{metric}" AND resource.labels.service_name="{service}"',
            "interval.startTime": _stamp(started_s),
            "interval.endTime": _stamp(ended_s),
            "aggregation.alignmentPeriod": _ALIGN,
            "aggregation.perSeriesAligner": aligner,
            "aggregation.crossSeriesReducer": "REDUCE_SUM",
        },
        headers={"Authorization": f"Bearer {token}"},
        timeout=_LIMIT_S,
    )
    answer.raise_for_status()
    values = []
    for series in answer.json().get("timeSeries", []):
        for point in series["points"]:
            (value,) = point["value"].values()
            values.append(float(value))
    return values


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
