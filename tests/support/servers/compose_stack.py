"""A stack in containers, under a project name, tags and a port of its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, Final

from tests.support import ROOT

BUILD_LIMIT_S: Final = 1500
COMMAND_LIMIT_S: Final = 600
TAG: Final = "test"
# What a dead deliverer held comes back after 14 s, not 12 minutes.
_SHORT_TIMES: Final = """
services:
  to-container: &short
    environment:
      DIPTYCH_PUSH_TIMEOUT_S: "10"
      DIPTYCH_BACKOFF_MAX_S: "1"
      DIPTYCH_VISIBILITY_TIMEOUT_S: "14"
  to-function: *short
"""


class ComposeStack:
    """`docker compose` for one profile.

    Args:
        profile: celery or pubsub.
        folder: for a file of ours.
    """

    def __init__(self, profile: str, folder: Path) -> None:
        self.profile = profile
        self._files = [str(ROOT / "docker-compose.yml")]
        if profile == "celery":
            (folder / "short.yml").write_text(_SHORT_TIMES)
            self._files.append(str(folder / "short.yml"))
        # Port 0: any that is free.
        self._environ = {
            **os.environ, "COMPOSE_PROFILES": profile, "DIPTYCH_TAG": TAG, "PAGE_PORT": "0",
            "COMPOSE_PROJECT_NAME": f"diptych-test-{profile}-{os.getpid()}",
        }  # fmt: skip

    def up(self) -> None:
        """Build what has changed, start all, wait until all of it is well."""
        self.compose("up", "--build", "--detach", "--wait", limit_s=BUILD_LIMIT_S)

    def down(self) -> None:
        """Remove containers, volumes and networks."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)

    def run(self, *command: str) -> str:
        """What a command prints: run("submit-job", "-n", "16")."""
        return self.compose("run", "--rm", "--no-TTY", *command)

    def inspect(self, service: str) -> dict[str, Any]:
        """All that the engine knows of a service's container."""
        container = self.compose("ps", "--all", "--quiet", service).split()[0]
        found: dict[str, Any] = json.loads(self._do(["docker", "inspect", container]))[0]
        return found

    def crash(self, service: str) -> None:
        """kill -9 of all its processes: unlike after `docker kill`, the engine starts it again."""
        before = self.inspect(service)["RestartCount"]
        self.compose("exec", "--no-TTY", service, "sh", "-c", "kill -9 -1", check=False)
        deadline = time.monotonic() + 120
        while not self._is_well_again(service, before):
            assert time.monotonic() < deadline, (
                f"{service} did not come back: {self.inspect(service)['State']}"
            )
            time.sleep(0.2)

    def page_url(self) -> str:
        """Where the page is published."""
        return f"http://{self.compose('port', 'page', '7435').strip()}/"

    def compose(self, *arguments: str, check: bool = True, limit_s: float = COMMAND_LIMIT_S) -> str:
        """Run docker compose; return what it prints."""
        files = [part for path in self._files for part in ("--file", path)]
        return self._do(["docker", "compose", *files, *arguments], check=check, limit_s=limit_s)

    def _is_well_again(self, service: str, restarts: int) -> bool:
        found = self.inspect(service)
        health = found["State"].get("Health", {}).get("Status")
        return bool(found["RestartCount"] > restarts and health == "healthy")

    def _do(self, argv: list[str], *, check: bool = True, limit_s: float = COMMAND_LIMIT_S) -> str:
        done = subprocess.run(
            argv, cwd=ROOT, env=self._environ, capture_output=True, text=True, timeout=limit_s, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert not check or done.returncode == 0, (
            f"{' '.join(argv)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
        return done.stdout


def lacks_engine() -> str:
    """Why nothing can be run here; "" if it can."""
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no Docker: {error}"
    return "" if done.returncode == 0 else "no Docker engine answers"
