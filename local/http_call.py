"""One request to a server of the stack on this machine; nothing of the environment (a proxy) is heeded."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any, Final

from local.ports import HOST

_LIMIT_S: Final = 5.0
_MAX_ANSWER_BYTES: Final = 2000


def call(port: int, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, str]:
    """Make a request.

    Args:
        port: on 127.0.0.1.
        body: sent as JSON.
    Returns:
        The status, and the beginning of the answer.
    Raises:
        OSError: there is no answer, or it is no HTTP; the text says why.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=_LIMIT_S)
    try:
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read(_MAX_ANSWER_BYTES).decode("utf-8", "replace").strip()
    except http.client.HTTPException as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()
