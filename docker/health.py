#!/usr/bin/env python3
"""Health checks of the images, with nothing but Python's own library. Exit code 0: healthy.

health http PORT PATH    it answers 200
health tcp PORT          it takes connections
health broker            some process here is connected to the broker that DIPTYCH_BROKER_URL names
health fresh FILE AGE    the file was touched in the last AGE seconds
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

LIMIT_S = 4.0
HOST = "127.0.0.1"
ESTABLISHED = "01"
SOCKET_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def answers(port: int, path: str) -> bool:
    """True if a GET is answered with 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=LIMIT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            print(f"{response.status}: {response.read(300).decode('utf-8', 'replace').strip()}")
        return response.status == http.HTTPStatus.OK
    finally:
        connection.close()


def accepts(port: int) -> bool:
    """True if a connection can be made; what is busy takes it all the same."""
    with socket.create_connection((HOST, port), timeout=LIMIT_S):
        return True


def is_connected(port: int) -> bool:
    """True if a connection to that remote port is established from here.

    A Celery worker connects once its pool is up, and answers nobody: its connection is what can be seen.
    """
    # proc_pid_net(5): `sl local_address rem_address st …`, addresses as HEX:PORT.
    rows = (line.split() for table in SOCKET_TABLES if table.exists() for line in table.open())
    return any(row[3] == ESTABLISHED and row[2].endswith(f":{port:04X}") for row in rows)


def is_fresh(path: str, age_s: float) -> bool:
    """True if a file is younger than that."""
    return time.time() - Path(path).stat().st_mtime < age_s


def main(arguments: list[str]) -> int:
    """Run one check."""
    try:
        match arguments:
            case ["http", port, path]:
                healthy = answers(int(port), path)
            case ["tcp", port]:
                healthy = accepts(int(port))
            case ["broker"]:
                healthy = is_connected(urlsplit(os.environ["DIPTYCH_BROKER_URL"]).port or 6379)
            case ["fresh", path, age_s]:
                healthy = is_fresh(path, float(age_s))
            case _:
                print(__doc__)
                return 2
    except (OSError, http.client.HTTPException) as error:
        print(f"unhealthy: {error}")
        return 1
    if not healthy:
        print(f"unhealthy: {' '.join(arguments)}")
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
