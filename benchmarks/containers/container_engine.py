"""Containers for measurements: started, found again by a label, and removed at the end, whatever happens."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from local.errors import StackError

LIMIT_S: Final = 120.0
# As in docker-compose.yml: what a deployed instance has, and a root file system that nobody writes to.
_LIKE_COMPOSE: Final = (
    "--init", "--read-only", "--tmpfs=/tmp:size=1g,mode=1777", "--cap-drop=ALL", "--cpus=1", "--memory=4g"
)  # fmt: skip


class ContainerEngine:
    """The Docker engine of this machine.

    Args:
        tag: of our images: `diptych-container:TAG`.
    """

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self.mark = f"diptych-bench-{secrets.token_hex(4)}"

    def check(self) -> None:
        """Raise StackError if no engine answers."""
        try:
            docker("info", "--format", "{{.ServerVersion}}")
        except StackError as error:
            raise StackError(f"no Docker engine answers: start it, and try again ({error})") from error

    def image(self, name: str) -> str:
        """The full name of one of our images."""
        return f"diptych-{name}:{self._tag}"

    def size_bytes(self, name: str) -> int:
        """The size of one of our images. Raises StackError if it has not been built."""
        try:
            return int(docker("image", "inspect", "--format", "{{.Size}}", self.image(name)))
        except StackError as error:
            raise StackError(
                f"there is no image {self.image(name)}: run `docker compose --profile '*' build` first"
                f" ({error})"
            ) from error

    def run(self, image: str, options: Sequence[str] = (), command: Sequence[str] = ()) -> None:
        """Start a container in this run's network, in the background; return when the engine has started it.

        Args:
            image: full name.
            options: of `docker run`.
            command: what follows the image.
        """
        ours = ("--detach", "--network", self.mark, "--label", self.mark, *_LIKE_COMPOSE)
        docker("run", *ours, *options, image, *command)

    def remove(self, *, but: Sequence[str] = ()) -> None:
        """Remove this run's containers.

        Args:
            but: names of those that stay.
        """
        listed = docker("ps", "--all", "--filter", f"label={self.mark}", "--format", "{{.Names}}").split()
        gone = [name for name in listed if name not in but]
        if gone:
            docker("rm", "--force", "--volumes", *gone)

    def ended(self) -> list[str]:
        """Names of this run's containers that run no more: each was to run on."""
        filters = ("--filter", f"label={self.mark}", "--filter", "status=exited", "--filter", "status=dead")
        return docker("ps", "--all", *filters, "--format", "{{.Names}} ({{.Status}})").splitlines()

    @contextmanager
    def network(self) -> Iterator[None]:
        """A network for this run; it and all its containers are gone afterwards."""
        docker("network", "create", self.mark)
        try:
            yield
        finally:
            self.remove()
            docker("network", "rm", self.mark)


def docker(*arguments: str) -> str:
    """Run a docker command; return what it prints. Raises StackError with what it says."""
    argv = ["docker", *arguments]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except FileNotFoundError as error:
        raise StackError("there is no `docker` here: install Docker") from error
    except subprocess.TimeoutExpired as error:
        raise StackError(f"docker {arguments[0]} did not end in {LIMIT_S:g} s") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise StackError(f"docker {arguments[0]} failed: {lines[-1] if lines else done.returncode}")
    return done.stdout.strip()
