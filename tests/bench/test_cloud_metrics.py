"""Instances and billed time from Cloud Monitoring, of the services that deploy makes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bench.cloud import metrics as cloud_metrics
from bench.cloud.metrics import Window, cloud_usage, read_usage
from bench.cloud.report import usage_lines, usage_table
from bench.cloud.services import Service, service_of_url, services_of_topic
from deploy.deployment import Deployment
from deploy.plan.function import function_steps
from results.targets import PUSHED_TARGETS
from tests.support.cloud.monitoring import BILLED, INSTANCES, Monitoring, monitoring

STARTED_S = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()


def deployed(prefix: str = "diptych") -> Deployment:
    return Deployment("my-project", "us-central1", "0123456789ab", prefix=prefix)


def window(name: str = "diptych-function") -> Window:
    return Window(Service(name, "us-central1"), STARTED_S, STARTED_S + 50)


@pytest.mark.parametrize("prefix", ["diptych", "my-own"])
def test_services_are_called_as_deploy_calls_them(prefix: str) -> None:
    deployment = deployed(prefix)
    url = deployment.container_url.replace("${PROJECT_NUMBER}", "123456789")
    assert service_of_url(url) == Service(deployment.service("container"), deployment.region)
    of_topic = services_of_topic(deployment.queue)
    assert {target: of_topic[target].name for target in PUSHED_TARGETS} == {
        target: deployment.service(target) for target in PUSHED_TARGETS
    }
    # The function is a Cloud Run service of its own name: what is deployed has that name.
    titles = [step.title for step in function_steps(deployment)]
    assert f"function {of_topic['function'].name}" in titles


@pytest.mark.parametrize(
    ("url", "service"),
    [
        (
            "https://diptych-function-123456789.us-central1.run.app/",
            Service("diptych-function", "us-central1"),
        ),
        ("https://diptych-container-abc1def2gh-uc.a.run.app", Service("diptych-container")),
        ("https://new---diptych-container-abc1def2gh-uc.a.run.app", Service("diptych-container")),
        (
            "https://us-central1-my-project.cloudfunctions.net/diptych-function",
            Service("diptych-function", "us-central1"),
        ),
        ("https://worker.example/", None),
        ("http://127.0.0.1:7431/", None),
        ("https://run.app.example/", None),
    ],
)
def test_a_service_is_known_by_its_address(url: str, service: Service | None) -> None:
    assert service_of_url(url) == service


def test_instances_by_state_and_billed_seconds_of_whole_minutes() -> None:
    with monitoring("diptych-function") as api:
        found = cloud_usage("my-project", window(), lambda: {"Authorization": "Bearer right"}, api.url)
    assert found["instances"]["most"] == 3
    assert (found["instances"]["most_active"], found["instances"]["most_idle"]) == (3, 1)
    assert found["billed"]["sum_s"] == 41.5
    assert [at for at, _ in found["billed"]["points"]] == ["2026-01-02T03:05:00Z", "2026-01-02T03:06:00Z"]
    assert found["complete"]
    first, second, last = api.asked
    assert [one["metric.type"] for one in api.asked] == [INSTANCES, INSTANCES, BILLED]
    assert second["pageToken"] == "idle"
    for one in (first, last):
        assert one["resource.type"] == "cloud_run_revision"
        assert one["resource.labels.service_name"] == "diptych-function"
        assert one["resource.labels.location"] == "us-central1"
        assert one["interval.startTime"] == "2026-01-02T03:04:00Z"
        assert one["interval.endTime"] == "2026-01-02T03:06:00Z"
    told = "\n".join(usage_lines({"function": found}))
    assert told == "function   at most 3 (active 3, idle 1) instances; 41.5 s billed"
    assert "41.5" in usage_table({"function": found})


def test_no_permission_no_such_service_and_nobody_there_are_notes() -> None:
    def wrong() -> dict[str, str]:
        return {"Authorization": "Bearer wrong"}

    def none() -> dict[str, str]:
        raise OSError("no credentials")

    with monitoring("another") as api:
        refused = cloud_usage("my-project", window(), wrong, api.url)
        unknown = cloud_usage("my-project", window(), lambda: {"Authorization": "Bearer right"}, api.url)
    assert "403 Permission monitoring.timeSeries.list denied" in refused["instances"]["note"]
    assert not refused["permitted"]
    assert "no figures of a Cloud Run service diptych-function" in unknown["billed"]["note"]
    assert unknown["permitted"]
    gone = cloud_usage("my-project", window(), wrong, api.url)
    assert "not available" in gone["instances"]["note"]
    assert "no credentials" in cloud_usage("my-project", window(), none, api.url)["billed"]["note"]
    assert "denied" in usage_table({"function": refused})


def test_the_last_minutes_are_waited_for_unless_nothing_is_permitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, told = [STARTED_S + 50], list[str]()
    monkeypatch.setattr(cloud_metrics, "google_headers", lambda _: {"Authorization": "Bearer right"})
    monkeypatch.setattr("bench.cloud.metrics.time.time", lambda: now[0])
    monkeypatch.setattr("bench.cloud.metrics.time.sleep", lambda s: now.__setitem__(0, now[0] + s + 1))

    def read(api: Monitoring, project: str = "my-project", *, patient: bool = True) -> dict[str, object]:
        monkeypatch.setattr(cloud_metrics, "ENDPOINT", api.url)
        found: dict[str, object] = read_usage(project, {"function": window()}, told.append, patient=patient)[
            "function"
        ]
        return found

    with monitoring("diptych-function") as api:
        early = read(api, patient=False)
        assert (early["complete"], told) == (False, [])
        assert "may be missing" in str(early["note"])
        whole = read(api)
        assert whole["complete"]
        assert now[0] > STARTED_S + 50 + cloud_metrics.LATE_S
        assert "Ctrl-C reads what there is" in told[0]
        now[0] = STARTED_S + 50
        monkeypatch.setattr(cloud_metrics, "google_headers", lambda _: {"Authorization": "Bearer wrong"})
        assert not read(api)["permitted"]
        assert (now[0], len(told)) == (STARTED_S + 50, 1)
    assert read_usage("my-project", {}, told.append) == {}


def test_a_users_own_credentials_are_counted_against_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth.credentials import AnonymousCredentials
    from google.oauth2.credentials import Credentials

    user: Any = Credentials("right")  # type: ignore[no-untyped-call]
    nobody: Any = AnonymousCredentials()  # type: ignore[no-untyped-call]
    for credentials, quota in ((user, "my-project"), (nobody, None)):
        monkeypatch.setattr(type(credentials), "refresh", lambda *_: None)
        monkeypatch.setattr("google.auth.default", lambda found=credentials, **_: (found, ""))
        assert cloud_metrics.google_headers("my-project").get("x-goog-user-project") == quota
