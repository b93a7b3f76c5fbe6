"""The Flask app by itself: each outcome's status, oversize bodies, health."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from model.errors import CheckpointError
from pipeline.config.settings import Settings
from pipeline.errors import SettingsError
from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import MAX_BODY_BYTES, push_body, queued_message
from pipeline.worker.runtime import LazyRuntime, Runtime
from results.documents import Rejection, load
from results.naming import record_name
from tests.support.builders.checkpoints import save_tiny
from tests.support.builders.fakes import QuickEngine, a_runtime
from tests.support.builders.tasks import a_task
from worker_container.app import EXTENSION, create_app, serving


def body() -> bytes:
    return push_body(queued_message(a_task(), "m1", utc_now()), "s", 1)


def app_over(runtime: Runtime) -> Flask:
    """The real app, with a runtime whose engine is quick."""
    app = create_app(runtime.settings)
    app.extensions[EXTENSION] = replace(
        serving(app), runtime=LazyRuntime(lambda: runtime), shutdown=runtime.shutdown
    )
    return app


@pytest.fixture
def engine() -> QuickEngine:
    return QuickEngine()


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: QuickEngine) -> Runtime:
    return a_runtime(tmp_path / "store", monkeypatch, engine=engine, push_auth="off", slot_wait_s=0.0)


@pytest.fixture
def client(runtime: Runtime) -> FlaskClient:
    return app_over(runtime).test_client()


def rejections(runtime: Runtime) -> list[Rejection]:
    store = runtime.store
    return [load(Rejection, store.read(info.name), info.name) for info in store.list("rejected/")]


def test_done_is_204_without_a_body(client: FlaskClient, runtime: Runtime) -> None:
    answer = client.post("/", data=body())
    assert (answer.status_code, answer.data) == (204, b"")
    assert runtime.store.stat(record_name("job-a", "container", 0))


def test_redelivery_is_204(client: FlaskClient) -> None:
    assert [client.post("/", data=body()).status_code for _ in range(2)] == [204, 204]


@pytest.mark.parametrize("junk", [b"", b"junk", b"{}", b"[" * 60_000])
def test_junk_is_204_and_kept(client: FlaskClient, runtime: Runtime, junk: bytes) -> None:
    assert client.post("/", data=junk).status_code == 204
    assert len(rejections(runtime)) == 1


def test_oversize_without_a_length_is_refused_at_the_limit(client: FlaskClient, runtime: Runtime) -> None:
    stream = io.BytesIO(b"x" * (MAX_BODY_BYTES + 1))
    answer = client.post("/", input_stream=stream, environ_overrides={"wsgi.input_terminated": True})
    assert answer.status_code == 204
    assert len(rejections(runtime)) == 1


def test_busy_is_503_with_retry_after(client: FlaskClient, runtime: Runtime) -> None:
    runtime.slot.acquire()
    answer = client.post("/", data=body())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.data.startswith(b"busy: ")


def test_a_bug_is_500(client: FlaskClient, engine: QuickEngine) -> None:
    def stumble(_seeds: object) -> None:
        raise ZeroDivisionError("a bug")

    engine.before = stumble
    answer = client.post("/", data=body())
    assert answer.status_code == 500
    assert b"Traceback" not in answer.data


def test_shutting_down_is_503_and_unready(client: FlaskClient, runtime: Runtime) -> None:
    runtime.shutdown.start()
    assert client.post("/", data=body()).status_code == 503
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.data) == (503, b"not ready: this worker is stopping\n")
    assert client.get("/health/live").status_code == 200


def test_only_posts_to_the_root(client: FlaskClient) -> None:
    assert client.get("/").status_code == 405
    assert client.post("/elsewhere", data=body()).status_code == 404


def test_no_store_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIPTYCH_STORE_URL", raising=False)
    with pytest.raises(SettingsError, match="DIPTYCH_STORE_URL"):
        create_app()


class TestReady:
    """Readiness looks at the real registry and the real file."""

    @pytest.fixture
    def models(self, tmp_path: Path) -> Path:
        folder = tmp_path / "models"
        save_tiny(folder)
        return folder

    @pytest.fixture
    def client(self, tmp_path: Path, models: Path) -> FlaskClient:
        store_url = (tmp_path / "store").as_uri()
        settings = Settings(store_url=store_url, model_dir=models, default_model="tiny", push_auth="off")
        return create_app(settings).test_client()

    def test_sound(self, client: FlaskClient) -> None:
        assert [client.get("/health/ready").status_code for _ in range(2)] == [200, 200]

    def test_a_sound_checkpoint_is_read_once(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert client.get("/health/ready").status_code == 200

        def unexpected(path: Path) -> None:
            raise CheckpointError(f"{path} was read again")

        monkeypatch.setattr("pipeline.models.engine_cache.load_checkpoint", unexpected)
        assert client.get("/health/ready").status_code == 200

    def test_missing(self, client: FlaskClient, models: Path) -> None:
        (models / "tiny.safetensors").unlink()
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert b"tiny" in answer.data

    @pytest.mark.parametrize("damage", ["flip", "cut", "pickle"])
    def test_damaged_after_it_was_sound(self, client: FlaskClient, models: Path, damage: str) -> None:
        assert client.get("/health/ready").status_code == 200
        path = models / "tiny.safetensors"
        content = bytearray(path.read_bytes())
        if damage == "flip":
            content[-5] ^= 1
        elif damage == "cut":
            del content[-100:]
        else:
            content[:] = b"\x80\x04pickle"
        path.write_bytes(content)
        for _ in range(2):
            answer = client.get("/health/ready")
            assert answer.status_code == 503
            assert answer.data.count(b"\n") == 1
