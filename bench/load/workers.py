"""Fresh HTTP workers on this machine, as `diptych up` starts them, without anything that brings tasks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.addresses import Addresses
from local.console import Console
from local.errors import StackError
from local.options import StackOptions
from local.ports import choose_port
from local.services import WORKERS, Layout
from local.supervisor import Supervisor
from pipeline.config.settings import load_settings
from results.targets import PUSHED_TARGETS, Target

LOG_NAME = "workers.log"


@dataclass(frozen=True, slots=True)
class Worker:
    """One that runs.

    Args:
        target: which.
        url: of its pushes.
        pid: of its main process; None if unknown (in a cloud).
        fresh: nothing has been asked of it yet.
        slots: worker processes.
    """

    target: Target
    url: str
    pid: int | None = None
    fresh: bool = False
    slots: int = 1


@contextmanager
def local_worker(
    target: Target, folder: Path, *, slots: int = 1, model_dir: Path | None = None, log: Path | None = None
) -> Iterator[Worker]:
    """Start one, and end it with the block. Its store is in the folder.

    Args:
        target: container or function.
        folder: a short path, empty; the caller removes it.
        slots: worker processes.
        model_dir: of models beside the shipped ones.
        log: where its lines go; default: into the folder.
    Raises:
        StackError: it does not start.
    """
    port = choose_port(0, target, "--container-url or --function-url")
    addresses = Addresses(dict.fromkeys(PUSHED_TARGETS, port))
    options = StackOptions(
        folder,
        container_slots=slots,
        function_slots=slots,
        environment={"DIPTYCH_LOG_LEVEL": "WARNING"},
    )
    store, work = folder / "store", folder / "work"
    for made in (store, work):
        made.mkdir()
    settings = load_settings(model_dir=model_dir)
    layout = Layout(options, settings, store.as_uri(), addresses, work_folder=work, socket_folder=work)
    service = WORKERS[target](layout)
    supervisor = Supervisor([[service]], Console(log or folder / LOG_NAME, None))
    with _in_background(supervisor):
        url = addresses.worker_url(target)
        yield Worker(target, url, supervisor.pid(service.name), fresh=True, slots=slots)


@contextmanager
def _in_background(supervisor: Supervisor) -> Iterator[None]:
    ready = threading.Event()
    errors: list[StackError] = []

    def run() -> None:
        try:
            supervisor.run(ready.set)
        except StackError as error:
            errors.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="worker")
    thread.start()
    try:
        ready.wait()
        if errors:
            raise errors[0]
        yield
    finally:
        supervisor.stop()
        thread.join()


def listening_pid(port: int) -> int | None:
    """The main process that listens on a port of this machine, as far as this user may see it."""
    import psutil

    processes = []
    try:
        for connection in psutil.net_connections("tcp"):
            address: tuple[str, int] | tuple[()] = connection.laddr
            if connection.status == psutil.CONN_LISTEN and address and address[1] == port and connection.pid:
                processes.append(psutil.Process(connection.pid))
        # A main process and those that it forked share the socket: the oldest one is it.
        return min(processes, key=lambda process: process.create_time()).pid if processes else None
    except psutil.Error:
        return None
