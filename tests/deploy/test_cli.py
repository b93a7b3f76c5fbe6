"""`diptych deploy`, `doctor` and `destroy` as a user calls them, with the stand-in for gcloud on the PATH."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result

from diptych.cli import main
from tests.deploy.conftest import FakeProject
from tests.support.servers.gcs_server import GcsServer, find_binary
from tests.support.waiting import LIMIT_S

PLACE = ("--project", "my-project", "--region", "us-central1")
BUCKET = "storage buckets/gs://my-project-diptych"


def diptych(*words: str, typed: str = "") -> Result:
    result = CliRunner().invoke(main, words, input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real storage server that has the deployment's bucket."""
    server = GcsServer(find_binary())
    try:
        server.wait()
        made = requests.post(
            f"{server.url}/storage/v1/b", json={"name": "my-project-diptych"}, timeout=LIMIT_S
        )
        made.raise_for_status()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server.url
    finally:
        server.stop()


def test_a_deployment_from_its_start_to_its_end(installed: FakeProject, bucket: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    result = diptych("deploy", *PLACE, "--env-file", str(settings), typed="y\n")
    assert result.exit_code == 0, result.output
    assert "Google bills for running resources. Continue? [y/N]: y" in result.output
    assert "  $ gcloud pubsub topics create diptych-tasks --project=my-project" in result.output
    assert result.stdout.splitlines()[-4:] == [
        "export DIPTYCH_STORE_URL=gs://my-project-diptych",
        "export DIPTYCH_BROKER_URL=pubsub://my-project/diptych-tasks",
        "diptych doctor --project my-project --region us-central1",
        "diptych submit -n 16 --watch",
    ]
    assert settings.read_text().splitlines() == result.stdout.splitlines()[-4:-2]

    assert bucket
    result = diptych("doctor", *PLACE, "--json")
    found = {check["name"]: check for check in json.loads(result.stdout)}
    assert [check for check in found.values() if check["status"] in ("warn", "fail")] == []
    assert result.exit_code == 0
    assert "is writable" in found["store"]["detail"]
    assert found["measured task time, function"]["detail"] == "no records yet"

    installed.edit("pubsub subscriptions/diptych-container", ackDeadlineSeconds=10)
    result = diptych("doctor", *PLACE)
    assert result.exit_code == 1
    assert "fail     subscription diptych-container: ack deadline is 10 s, not 600 s" in result.output
    assert "         fix: gcloud pubsub subscriptions update diptych-container" in result.output
    assert result.output.splitlines()[-1].endswith("1 fail, 2 skipped")

    result = diptych("destroy", *PLACE, "--delete-data", typed="my-bucket\n")
    assert "'my-bucket' is not 'my-project-diptych': nothing was removed" in result.output
    assert BUCKET in installed.things
    result = diptych("destroy", *PLACE, typed="y\n")
    assert result.exit_code == 0, result.output
    assert "kept: gs://my-project-diptych with all results" in result.output
    assert {key for key, value in installed.things.items() if value} == {"apis", BUCKET}


def test_nothing_happens_without_a_yes(installed: FakeProject) -> None:
    for typed in ("n\n", ""):
        result = diptych("deploy", *PLACE, typed=typed)
        assert result.exit_code == 130
    assert installed.calls == []


def test_a_dry_run_needs_no_gcloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = diptych("deploy", *PLACE, "--dry-run", "--retain-days", "30")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "#!/usr/bin/env bash\n# Diptych in project my-project, region us-central1\n"
    )
    for line in (
        "--no-allow-unauthenticated",
        "--startup-probe=httpGet.path=/health/ready,",
        "--message-filter=attributes:target_container",
        "--max-delivery-attempts=100",
        "--push-endpoint=",
        "--retry",
        "--lifecycle-file=build/lifecycle.json",
    ):
        assert line in result.stdout
    assert "gcloud storage rm" not in diptych("destroy", *PLACE, "--dry-run").stdout
    assert "gcloud storage rm" in diptych("destroy", *PLACE, "--dry-run", "--delete-data").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--memory", "8Gi"), "bad --memory 8Gi with --cpu 1: 512Mi to 4Gi"),
        (("--memory", "a lot"), "bad --memory 'a lot': write 4Gi or 4096Mi"),
        (("--cpu", "3"), "bad --cpu 3: choose 1, 2, 4 or 8"),
        (("--min-instances", "5", "--max-instances", "4"), "0 <= min <= max"),
        (("--retain-days", "-1"), "bad --retain-days -1: 1 to 36500"),
        (("--prefix", "Diptych"), "bad --prefix 'Diptych'"),
        (("--bucket", "x;y"), "bad --bucket 'x;y'"),
        (("--image", "a b"), "bad --image 'a b'"),
        (
            ("--model", "mine"),
            "only a model that is shipped in the images can be loaded at start (faces-128, faces-64)",
        ),
        (("--region", "mars"), "bad --region 'mars': a region such as us-central1"),
        (("--project", "$(id)"), "bad --project '$(id)'"),
    ],
)
def test_bad_options_are_one_line(words: tuple[str, ...], says: str) -> None:
    result = diptych("deploy", *PLACE, *words, "--dry-run")
    assert result.exit_code == 1
    assert says in result.output
    assert len(result.output.splitlines()) == 1


def test_a_failure_is_one_line_at_the_end(installed: FakeProject) -> None:
    installed.fail(
        "services enable", "ERROR: (gcloud.services.enable) PERMISSION_DENIED: Not allowed to enable"
    )
    result = diptych("deploy", *PLACE, "--yes")
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == (
        "error: step 2 of 36, APIs: gcloud services enable: PERMISSION_DENIED: Not allowed to enable;"
        " step 1 is done: fix it and run the same command again"
    )
