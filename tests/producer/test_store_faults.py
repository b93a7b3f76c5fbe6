"""The commands when the bucket, its service or the credentials fail: one clear line, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from diptych.cli import main
from results.job_state import JobState
from results.naming import published_name
from results.stores.base import Store
from results.stores.open import open_store
from results.target_state import TaskState
from tests.support.builders.checkpoints import save_tiny
from tests.support.servers.gcs_fault_proxy import ALWAYS, GcsFaultProxy
from tests.support.servers.gcs_server import GcsServer
from tests.support.servers.valkey import ValkeyServer, free_port

Run = Callable[..., Result]
SUBMIT = ("submit", "-n", 10, "-m", "tiny", "--seed", 7, "--job", "j", "--images-per-task", 3)
COMMANDS = {
    "submit": SUBMIT,
    "status": ("status", "j"),
    "results ls": ("results", "ls", "j"),
    "jobs": ("jobs",),
}
FORBIDDEN = "worker@p.iam.gserviceaccount.com does not have storage.objects access."


@pytest.fixture
def bucket(gcs_server: GcsServer) -> str:
    return gcs_server.new_bucket()


@pytest.fixture
def direct(gcs_server: GcsServer, bucket: str) -> Store:
    """What really is in the bucket."""
    return open_store(f"gs://{bucket}/p?endpoint={gcs_server.url}")


@pytest.fixture
def run(
    tmp_path: Path, bucket: str, proxy: GcsFaultProxy, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run `diptych …` on this test's bucket, through the proxy."""
    (tmp_path / "models").mkdir()
    save_tiny(tmp_path / "models")
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("DIPTYCH_STORE_URL", f"gs://{bucket}/p?endpoint={proxy.url}")
    monkeypatch.setenv("DIPTYCH_BROKER_URL", valkey.url)
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


def the_error(result: Result) -> str:
    """The one line that a command ended with."""
    assert result.exit_code == 1, result.output
    (line,) = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
    assert line.startswith("error: ")
    assert "Traceback" not in result.output
    assert "something unexpected" not in line
    return line


@pytest.mark.parametrize("command", COMMANDS)
class TestOneLine:
    """Whatever is wrong with the store, it is said in a line that helps."""

    @pytest.mark.parametrize(
        ("fault", "says"),
        [
            ({"status": 429, "text": "rateLimitExceeded"}, "quota is used up (rateLimitExceeded): try again"),
            ({"status": 503}, "the service has trouble (503, Backend Error): try again"),
            ({"status": 403, "text": FORBIDDEN}, f"roles/storage.objectUser on the bucket ({FORBIDDEN})"),
            ({"kind": "hang_up"}, "does not answer"),
        ],
        ids=["429", "503", "403", "hang up"],
    )
    def test_the_service_fails(
        self,
        run: Run,
        proxy: GcsFaultProxy,
        monkeypatch: pytest.MonkeyPatch,
        command: str,
        fault: dict[str, Any],
        says: str,
    ) -> None:
        monkeypatch.setattr("results.stores.gcs.EMULATOR_DEADLINE_S", 0.05)
        proxy.order(**{"kind": "status", "times": ALWAYS, **fault})
        assert says in the_error(run(*COMMANDS[command]))

    def test_the_emulator_is_not_running(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        monkeypatch.setenv("DIPTYCH_STORE_URL", f"gs://b-b?endpoint=http://127.0.0.1:{free_port()}")
        line = the_error(run(*COMMANDS[command]))
        assert "does not answer (Connection refused): start the local stack with `diptych up --broker" in line

    def test_the_bucket_is_missing(
        self, run: Run, proxy: GcsFaultProxy, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        monkeypatch.setenv("DIPTYCH_STORE_URL", f"gs://no-such-bucket?endpoint={proxy.url}")
        assert "bucket gs://no-such-bucket does not exist: create it" in the_error(run(*COMMANDS[command]))

    def test_there_are_no_credentials(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        monkeypatch.setenv("DIPTYCH_STORE_URL", "gs://a-bucket")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
        assert "run `gcloud auth application-default login`" in the_error(run(*COMMANDS[command]))

    def test_the_credentials_have_expired(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        """Those of a user name no project: none is needed, as a bucket is known by its name."""
        from google.auth.exceptions import RefreshError
        from google.oauth2.credentials import Credentials

        def refuse(*_: object) -> None:
            raise RefreshError("invalid_grant: Token has been expired or revoked.")  # type: ignore[no-untyped-call]

        file = tmp_path / "user.json"
        file.write_text(
            '{"type": "authorized_user", "client_id": "x", "client_secret": "z", "refresh_token": "y"}'
        )
        for name in ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CONFIG"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("DIPTYCH_STORE_URL", "gs://a-bucket")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        monkeypatch.setattr(Credentials, "refresh", refuse)
        line = the_error(run(*COMMANDS[command]))
        assert "have expired: run `gcloud auth application-default login`" in line
        assert "invalid_grant" in line


def published(store: Store) -> list[int]:
    return [*JobState.of(store, "j").targets["container"].tasks_in([TaskState.PUBLISHED])]


@pytest.mark.parametrize("kind", ["lose_answer", "cut_answer"])
@pytest.mark.parametrize("part", ["jobs/j/job.json", "jobs/j/published/", "models/"])
def test_a_lost_answer_does_not_show(
    run: Run, proxy: GcsFaultProxy, direct: Store, part: str, kind: Any
) -> None:
    """A 412 after it would read as another job of that name, or as another command that publishes it."""
    proxy.order(kind, method="POST", part=part)
    result = run(*SUBMIT)
    assert result.exit_code == 0, result.output
    assert "submitted: 10 images" in result.stderr
    assert len(proxy.uploads(part)) == 2
    assert published(direct) == [0, 1, 2, 3]


def test_a_lost_answer_to_cancel_does_not_show(run: Run, proxy: GcsFaultProxy) -> None:
    assert run(*SUBMIT).exit_code == 0
    proxy.order("lose_answer", method="POST", part="cancelled.json")
    assert run("cancel", "j").output == "job j cancelled\n"
    assert run("cancel", "j").output == "job j was already cancelled\n"


def test_a_store_that_fails_between_publishing_and_marking(
    run: Run, proxy: GcsFaultProxy, direct: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("results.stores.gcs.EMULATOR_DEADLINE_S", 0.05)
    proxy.order("status", part="jobs/j/published/", method="POST", times=ALWAYS)
    assert "job j was created: `diptych resume j` publishes the rest" in the_error(run(*SUBMIT))
    assert published(direct) == []
    proxy.mend()
    assert run("resume", "j").exit_code == 0
    assert published(direct) == [0, 1, 2, 3]
    assert direct.stat(published_name("j", 1, 0, 3))


def test_a_job_that_may_have_been_begun(
    run: Run, proxy: GcsFaultProxy, direct: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every answer is lost until the time is up: nobody here knows that the job is there."""
    monkeypatch.setattr("results.stores.gcs.EMULATOR_DEADLINE_S", 0.05)
    proxy.order("lose_answer", part="jobs/j/job.json", method="POST", times=ALWAYS)
    assert "if job j was created nevertheless, `diptych resume j` publishes it" in the_error(run(*SUBMIT))
    proxy.mend()
    assert run("resume", "j").exit_code == 0
    assert published(direct) == [0, 1, 2, 3]
