"""What could not be decoded: kept in `rejected/` and acknowledged, since no redelivery can mend it."""

from __future__ import annotations

import hashlib
import logging
from typing import Final

from pipeline.errors import MessageError
from pipeline.protocol.clock import utc_now
from pipeline.protocol.envelope import peek_message_id
from pipeline.protocol.outcomes import Outcome, Result
from pipeline.worker.retries import store_retry
from pipeline.worker.runtime import Runtime
from results.documents import Rejection, create_once
from results.errors import StoreError
from results.naming import rejected_name

KEPT_BODY_BYTES: Final = 2048

_log = logging.getLogger(__name__)


def reject(
    runtime: Runtime,
    error: MessageError,
    body: bytes,
    *,
    body_bytes: int | None = None,
    message_id: str | None = None,
) -> Result:
    """Record a message that cannot be decoded.

    A body without an id is named by its hash, so that its redelivery on the same day adds nothing.

    Args:
        runtime: this process's runtime.
        error: what is wrong with it.
        body: the body, or as much of it as was read; its first KEPT_BODY_BYTES are kept.
        body_bytes: its full length, if `body` is not all of it.
        message_id: the broker's id, if known.
    Returns:
        FAILED (acknowledged); RETRY if the store cannot take the rejection now.
    """
    now = utc_now()
    found = message_id or peek_message_id(body) or f"body-{hashlib.sha256(body).hexdigest()[:32]}"
    rejection = Rejection(
        received_at=now,
        target=runtime.target,
        message_id=found,
        error="undecodable",
        detail=str(error)[:500],
        body_bytes=len(body) if body_bytes is None else body_bytes,
        body_text=body[:KEPT_BODY_BYTES].decode("utf-8", "replace"),
    )
    try:
        create_once(runtime.store, rejected_name(f"{now:%Y-%m-%d}", found), rejection)
    except StoreError as store_error:
        return store_retry(store_error)
    _log.warning("message %s rejected: %s", found, error)
    return Result(Outcome.FAILED, "rejected", str(error))
