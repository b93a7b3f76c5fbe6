"""docker-compose.yml as compose itself reads it: no engine is needed for that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[3]
PROFILES: Final = ("celery", "pubsub")
COMMANDS: Final = ("submit-job", "diptych")
WORKERS: Final = ("container", "function")
_OVERRIDES: Final = ("COMPOSE_", "DIPTYCH_", "PAGE_PORT", "CONTAINER_WORKERS", "FUNCTION_WORKERS")


def read(profiles: str) -> subprocess.CompletedProcess[str]:
    """Run `docker-compose config` with COMPOSE_PROFILES set to this, and nothing else of ours."""
    binary = Path(sys.executable).with_name("docker-compose")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_OVERRIDES)}
    argv = [str(binary), *(f"--profile={name}" for name in (*profiles.split(","), "commands"))]
    return subprocess.run(
        [*argv, "config", "--format", "json"],
        cwd=ROOT, env={**environ, "COMPOSE_PROFILES": profiles}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@cache
def services(profile: str) -> dict[str, dict[str, Any]]:
    """All services of a profile and the commands, with everything merged and filled in."""
    done = read(profile)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    return found


def each_service() -> list[tuple[str, str]]:
    """(profile, service) of every service, for parametrize."""
    return [(profile, name) for profile in PROFILES for name in services(profile)]
