"""Google's Pub/Sub emulator for tests: its jar, started straight with java, so that nothing stays behind.

Each test takes a project of its own (`new_address`): one emulator serves them all.
"""

from __future__ import annotations

import subprocess
import time
from typing import Any
from uuid import uuid4

import requests

from local.errors import StackError
from local.pubsub.emulator import emulator_command
from pipeline.config.pubsub_settings import PubSubAddress
from tests.support import missing
from tests.support.servers.valkey import free_port
from tests.support.waiting import LIMIT_S


class PubSubEmulator:
    """One emulator process, whose state is in memory only.

    Args:
        command: java, its options, and the jar (see `find_command`).
    """

    def __init__(self, command: tuple[str, ...]) -> None:
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._command = [*command, "--host=127.0.0.1", f"--port={self.port}"]
        self.start()

    def start(self) -> None:
        """Start it; one that was stopped comes back empty at the same address."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def wait(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + LIMIT_S
        while not self._answers():
            assert self._process, "the emulator was stopped"
            assert self._process.poll() is None, "the emulator ended"
            assert time.monotonic() < deadline, "the Pub/Sub emulator did not answer"
            time.sleep(0.05)

    def new_address(self) -> PubSubAddress:
        """The address of a topic in a project of its own; the topic is not made yet."""
        return PubSubAddress(f"test-{uuid4().hex[:12]}", "diptych-tasks", self.host)

    def make_topic(self, address: PubSubAddress) -> None:
        """Make an address's topic and its dead-letter topic."""
        self.call("PUT", address.topic_path)
        self.call("PUT", address.dead_letter_topic_path)

    def make_pull(self, address: PubSubAddress, name: str, topic_path: str, **settings: Any) -> str:
        """Make a pull subscription and return its path; settings as in Google's REST API."""
        path = address.subscription_path(name)
        self.call("PUT", path, {"topic": topic_path, **settings})
        return path

    def pull(self, path: str, most: int = 1000) -> list[dict[str, Any]]:
        """Pull and acknowledge what waits: messages as Google's REST API gives them, `data` in base64."""
        messages: list[dict[str, Any]] = []
        while True:
            body = {"maxMessages": most, "returnImmediately": True}
            received = self.call("POST", f"{path}:pull", body).get("receivedMessages", [])
            if not received:
                return messages
            self.call("POST", f"{path}:acknowledge", {"ackIds": [each["ackId"] for each in received]})
            messages += [each["message"] for each in received]

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make a request of its REST interface."""
        answer = requests.request(method, f"http://{self.host}/v1/{path}", json=body or {}, timeout=LIMIT_S)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        parsed: dict[str, Any] = answer.json()
        return parsed

    def stop(self) -> None:
        """End the process."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            return requests.get(f"http://{self.host}/", timeout=1).text.strip() == "Ok"
        except requests.RequestException:
            return False


def find_command() -> tuple[str, ...]:
    """Java, its options and the emulator's jar. Where one is missing, skips on a laptop and fails in CI."""
    try:
        return emulator_command()
    except StackError as error:
        missing.skip(f"Google's Pub/Sub emulator: {error}")
