"""Publishing on Pub/Sub: the real emulator, and every error in one line that says what to do."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from pipeline.config.pubsub_settings import PubSubAddress
from pipeline.config.settings import Settings
from pipeline.errors import BrokerError, RequestError
from pipeline.protocol.task_message import TaskMessage, decode_task
from producer.publish import CHUNK_TASKS, all_tasks, publish_runs, task_message
from producer.pubsub import connection as pubsub_connection
from producer.pubsub.publisher import PubSubPublisher
from producer.republish import resume
from results.documents import Manifest
from results.job_state import JobState
from results.stores.directory import DirectoryStore
from results.target_state import TaskState
from tests.producer.conftest import NOW, make_manifest, stored_job
from tests.support.servers.pubsub_emulator import PubSubEmulator
from tests.support.servers.tcp_proxy import TcpProxy
from tests.support.servers.valkey import free_port

Open = Callable[..., PubSubPublisher]


@pytest.fixture
def open_publisher() -> Iterator[Open]:
    """Open publishers that give up soon; they are closed at the end."""
    opened: list[PubSubPublisher] = []

    def open_one(address: PubSubAddress, deadline_s: float = 1.0) -> PubSubPublisher:
        opened.append(PubSubPublisher(Settings(broker_url=address.url), deadline_s=deadline_s))
        return opened[-1]

    yield open_one
    for publisher in opened:
        publisher.close()


@pytest.fixture
def address(emulator: PubSubEmulator) -> PubSubAddress:
    """A topic of this test's own."""
    address = emulator.new_address()
    emulator.make_topic(address)
    return address


def tasks_of(manifest: Manifest) -> list[TaskMessage]:
    return [task_message(manifest, task, 0, NOW, manifest.targets) for task in range(manifest.task_count)]


def test_one_message_per_task_serves_both_targets(
    emulator: PubSubEmulator, address: PubSubAddress, open_publisher: Open
) -> None:
    look = emulator.make_pull(address, "look", address.topic_path)
    tasks = tasks_of(make_manifest())
    open_publisher(address).publish(tasks)
    messages = emulator.pull(look)
    found = sorted(base64.b64decode(message["data"]) for message in messages)
    assert found == sorted(task.encode() for task in tasks)
    assert [message["attributes"] for message in messages] == 4 * [
        {"schema": "diptych.task/1", "job_id": "a-job", "target_container": "1", "target_function": "1"}
    ]


def test_a_target_that_is_not_asked_for_is_not_marked(
    emulator: PubSubEmulator, address: PubSubAddress, open_publisher: Open
) -> None:
    look = emulator.make_pull(address, "look", address.topic_path)
    open_publisher(address).publish(tasks_of(make_manifest(targets=("function",), count=1)))
    [message] = emulator.pull(look)
    assert "target_function" in message["attributes"]
    assert "target_container" not in message["attributes"]


def test_celery_is_refused_and_nothing_is_published(
    emulator: PubSubEmulator, address: PubSubAddress, open_publisher: Open
) -> None:
    look = emulator.make_pull(address, "look", address.topic_path)
    with pytest.raises(RequestError, match="Pub/Sub reaches the targets container and function, not celery"):
        open_publisher(address).publish(tasks_of(make_manifest(targets=("container", "celery"))))
    assert emulator.pull(look) == []


def test_a_missing_topic_names_the_command_that_makes_it(
    emulator: PubSubEmulator, open_publisher: Open
) -> None:
    address = emulator.new_address()
    with pytest.raises(BrokerError) as caught:
        open_publisher(address).publish(tasks_of(make_manifest()))
    assert (
        str(caught.value)
        == f"{address.topic_path} does not exist: create it with `diptych up --broker pubsub`"
    )


def test_an_emulator_that_is_not_running(open_publisher: Open) -> None:
    address = PubSubAddress("local", "diptych-tasks", f"127.0.0.1:{free_port()}")
    with pytest.raises(BrokerError, match=rf"emulator at {address.emulator} does not respond .*`diptych up"):
        open_publisher(address).publish(tasks_of(make_manifest()))


def test_a_line_that_breaks_half_way_leaves_a_job_that_resume_completes(
    emulator: PubSubEmulator, address: PubSubAddress, open_publisher: Open, store: DirectoryStore
) -> None:
    look = emulator.make_pull(address, "look", address.topic_path, ackDeadlineSeconds=600)
    manifest = stored_job(store, count=3 * CHUNK_TASKS + 7, images_per_task=1)
    proxy = TcpProxy(emulator.port)
    through_proxy = replace(address, emulator=f"127.0.0.1:{proxy.port}")
    proxy.break_after(int(1.4 * CHUNK_TASKS * len(tasks_of(manifest)[0].encode())))
    with pytest.raises(BrokerError, match="does not respond"):
        publish_runs(store, open_publisher(through_proxy), manifest, 0, [all_tasks(manifest)])
    state = JobState.of(store, manifest.job_id)
    unpublished = state.targets["container"].counts().unpublished
    assert 0 < unpublished < manifest.task_count  # some chunks are through

    proxy.mend()
    done = resume(store, open_publisher(through_proxy, deadline_s=30.0), manifest.job_id)
    proxy.close()
    assert done.messages == 2 * unpublished
    state.refresh()
    for target in state.targets.values():
        assert {*target.tasks_in([TaskState.PUBLISHED])} == {*range(manifest.task_count)}
    arrived = {decode_task(base64.b64decode(m["data"])).task_index for m in emulator.pull(look)}
    assert arrived == {*range(manifest.task_count)}  # none lost


@pytest.fixture
def refuser() -> Iterator[Callable[[grpc.StatusCode, str], PubSubAddress]]:
    """Start a gRPC server that answers everything with one error, as only the real service would."""
    servers: list[Any] = []

    def start(code: grpc.StatusCode, text: str) -> PubSubAddress:
        class Refuse(grpc.GenericRpcHandler):  # type: ignore[misc]
            def service(self, _: Any) -> Any:
                return grpc.unary_unary_rpc_method_handler(lambda _, context: context.abort(code, text))

        server = grpc.server(ThreadPoolExecutor(2), handlers=[Refuse()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return PubSubAddress("my-project", "diptych-tasks", f"127.0.0.1:{port}")

    yield start
    for server in servers:
        server.stop(None)


@pytest.mark.parametrize(
    ("code", "message", "names"),
    [
        ("PERMISSION_DENIED", "User not authorized", "grant this identity roles/pubsub.publisher (User not"),
        ("NOT_FOUND", "Requested project not found", "project my-project does not exist"),
        ("UNAUTHENTICATED", "Request had invalid", "gcloud auth application-default login"),
        ("UNAVAILABLE", "Getting metadata from plugin failed", "gcloud auth application-default login"),
        ("RESOURCE_EXHAUSTED", "Quota exceeded", "quota of project my-project is exhausted (Quota exceeded)"),
        ("DEADLINE_EXCEEDED", "late", "did not respond in time"),
        ("INVALID_ARGUMENT", "odd\n request", "Pub/Sub refused to publish to projects/my-project/topics/"),
    ],
)
def test_the_service_s_errors_say_what_to_do(
    refuser: Callable[..., PubSubAddress], open_publisher: Open, code: str, message: str, names: str
) -> None:
    publisher = open_publisher(refuser(grpc.StatusCode[code], message), deadline_s=0.3)
    with pytest.raises(BrokerError) as caught:
        publisher.publish(tasks_of(make_manifest(count=1)))
    assert names in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (None, "gcloud auth application-default login"),
        ('{"type": "authorized_user", "client_id": "x", "refresh_token": "y"}', "application-default login"),
    ],
)
def test_missing_credentials(
    written: str | None, names: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, open_publisher: Open
) -> None:
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    file = tmp_path / "credentials.json"
    if written:
        file.write_text(written)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(BrokerError, match="no Google credentials for project my-project") as caught:
        open_publisher(PubSubAddress("my-project", "diptych-tasks")).publish(tasks_of(make_manifest()))
    assert names in str(caught.value)


def test_expired_credentials_are_noticed_before_the_first_message(monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth.exceptions import RefreshError
    from google.oauth2.credentials import Credentials

    def refuse(*_: object) -> None:
        raise RefreshError("invalid_grant: Token has been expired or revoked.")  # type: ignore[no-untyped-call]

    expired = Credentials(
        None, refresh_token="y", token_uri="https://invalid/", client_id="x", client_secret="z"
    )  # type: ignore[no-untyped-call]
    monkeypatch.setattr(Credentials, "refresh", refuse)
    monkeypatch.setattr("google.auth.default", lambda **_: (expired, None))
    with pytest.raises(
        BrokerError, match=r"expired: run `gcloud auth application-default login`.*invalid_grant"
    ):
        pubsub_connection.fresh_credentials(PubSubAddress("my-project", "diptych-tasks"))
