"""The installed gcloud, kept off the network and off its user's configuration."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import ROOT, missing
from tests.support.waiting import LIMIT_S

PARSER = Path(__file__).parent / "gcloud_parser.py"


@dataclass(frozen=True)
class RealGcloud:
    """An installed gcloud.

    Args:
        root: where it is installed.
        python: what it runs in.
        environment: of its processes.
    """

    root: str
    python: str
    environment: dict[str, str]

    def parse(self, lines: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
        """Parse command lines, the words after `gcloud`: per line "command" and "flags", or "error"."""
        process = subprocess.run(
            [self.python, "-S", str(PARSER), self.root],
            input="".join(json.dumps(list(words)) + "\n" for words in lines),
            env=self.environment,
            cwd=ROOT,  # flags name files there
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        answers = [json.loads(line) for line in process.stdout.splitlines()]
        assert len(answers) == len(lines), process.stderr[-2000:]
        return answers


def find_gcloud(folder: Path) -> RealGcloud:
    """The installed gcloud, with an empty configuration in a folder.

    Where there is none, skips on a laptop and fails in CI.
    """
    program = shutil.which("gcloud")
    if program is None:
        missing.skip(missing.GCLOUD)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CLOUDSDK_")},
        "CLOUDSDK_CONFIG": str(folder),
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
    }
    answer = subprocess.run(
        [program, "info", "--format=json(installation.sdk_root, basic.python_location)"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    told = json.loads(answer.stdout)
    return RealGcloud(told["installation"]["sdk_root"], told["basic"]["python_location"], environment)
