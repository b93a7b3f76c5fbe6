"""`.diptych/run.json`: how commands find the stack that `diptych up` runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from results.targets import DEFAULT_TARGETS

RUN_FOLDER: Final = ".diptych"
RUN_FILE: Final = "run.json"


class RunFile(BaseModel):
    """What `diptych up` tells other commands."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    started_at: str
    store_url: str
    broker_url: str
    container_url: str
    function_url: str
    log_file: str = ""
    targets: tuple[str, ...] = DEFAULT_TARGETS
    store_folder: str = ""
    """Where the store's objects lie as files, if it has a server that ends with the stack."""

    folder: str = ""
    """Where the stack was started."""

    def is_alive(self) -> bool:
        """True while the supervisor's process exists."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def store_is_gone(self) -> bool:
        """True if the store's server ended with its stack."""
        return bool(self.store_folder) and not self.is_alive()


def run_file_path(folder: Path | None = None) -> Path:
    """Where the run file of a stack started in `folder` (default: here) lies."""
    return (folder or Path.cwd()) / RUN_FOLDER / RUN_FILE


def find_run_file(start: Path | None = None) -> RunFile | None:
    """Return the run file of `start` or its nearest parent; None if there is none or it is unreadable.

    A file whose stack is gone is still returned: its store is where the results are. Ask `is_alive`.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        path = run_file_path(folder)
        if path.is_file():
            try:
                return RunFile.model_validate_json(path.read_bytes())
            except (OSError, ValidationError):
                return None
    return None
