"""Checks what lies in a queue before Celery sees it: much of what Celery cannot read ends the worker."""

from __future__ import annotations

import base64
from typing import Any, Final

from kombu.serialization import loads as load_body
from kombu.utils.json import loads
from pydantic_core import from_json

from pipeline.config.celery_settings import DELIVER_TASK, IN_PROCESS_TASK
from pipeline.errors import MessageError

_TASKS: Final = (DELIVER_TASK, IN_PROCESS_TASK)
_NEVER_SET: Final = ("eta", "expires", "group", "shadow", "compression", "stamped_headers")
_EMBEDDED: Final = ("callbacks", "errbacks", "chain", "chord")
_PART_OF_BODY: Final = 3  # [args, kwargs, embed]


def check_raw(raw: bytes) -> None:
    """Check that a message has the form in which the producer sends it.

    Raises:
        MessageError: it has not; the text says why.
    """
    try:
        message = from_json(raw)
        _check_message(message)
        body = base64.b64decode(message["body"], validate=True)
        _check_body(from_json(body))
        # Celery's own decoders, which know objects of their own.
        loads(raw.decode())  # type: ignore[no-untyped-call]  # kombu has few types
        load_body(body, "application/json", "utf-8", accept={"application/json"})  # type: ignore[no-untyped-call]
    except MessageError:
        raise
    except Exception as error:
        raise MessageError(f"no Celery message: {error}"[:500]) from error


def _check_message(message: Any) -> None:
    _require(isinstance(message, dict), "the message is no object")
    _require(message.get("content-type") == "application/json", "its content is not JSON")
    _require(message.get("content-encoding") == "utf-8", "its encoding is not UTF-8")
    _require(isinstance(message.get("body"), str), "its body is no text")
    headers, properties = message.get("headers"), message.get("properties")
    _require(isinstance(headers, dict) and isinstance(properties, dict), "no headers or no properties")
    _require(headers.get("task") in _TASKS, f"unknown task {str(headers.get('task'))[:60]!r}")
    _require(isinstance(headers.get("id"), str), "its id is no text")
    strange = [name for name in _NEVER_SET if headers.get(name) is not None]
    _require(not strange, f"`{', '.join(strange)}` is not taken here")
    _require(headers.get("stamps") in (None, {}), "`stamps` is not taken here")
    _require(headers.get("timelimit") in (None, [None, None]), "`timelimit` is not taken here")
    delivery = properties.get("delivery_info")
    _require(properties.get("body_encoding") == "base64", "its body is not in base64")
    _require(isinstance(properties.get("delivery_tag"), str), "no delivery tag")
    _require(isinstance(delivery, dict), "no delivery information")
    for name in ("exchange", "routing_key"):
        _require(isinstance(delivery.get(name), str), f"no {name}")
    priority = properties.get("priority")
    _require(priority is None or type(priority) is int, "its priority is no number")


def _check_body(body: Any) -> None:
    _require(isinstance(body, list) and len(body) == _PART_OF_BODY, "its body is not [args, kwargs, embed]")
    args, kwargs, embed = body
    _require(isinstance(args, list) and isinstance(kwargs, dict), "its arguments are no list and object")
    _require(embed is None or isinstance(embed, dict), "the third part of its body is no object")
    _require(not any((embed or {}).get(name) for name in _EMBEDDED), "further tasks are not taken here")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise MessageError(otherwise)
