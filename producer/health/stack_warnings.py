"""Warnings about a running stack on which a job would wait forever."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config.pubsub_settings import PubSubAddress, is_pubsub
from pipeline.config.run_file import RunFile, find_run_file
from pipeline.config.settings import Settings
from pipeline.errors import BrokerError, SettingsError
from results.targets import Target


def stack_warnings(
    settings: Settings, targets: Sequence[Target], run_file: RunFile | None = None
) -> list[str]:
    """Check a job against the running stack that serves its broker.

    Args:
        settings: the resolved settings.
        targets: the job's targets.
        run_file: the stack's run file; None: searched from the current folder.
    Returns:
        A line per mismatch. Of a broker that is not the running stack's, only whether it may forget tasks.
    """
    stack = run_file or find_run_file()
    if stack is None or not _same(stack.broker_url, settings.broker_url) or not stack.is_alive():
        return _broker_warnings(settings)
    lines = []
    unserved = [target for target in targets if target not in stack.targets]
    if unserved:
        names = ", ".join(unserved)
        how = " (start it with `diptych up --celery-workers 1`)" if "celery" in unserved else ""
        lines.append(f"the running stack does not serve {names}: its tasks wait in the queue{how}")
    if stack.store_url != settings.store_url:
        lines.append(
            f"the running stack's workers write to {stack.store_url}, "
            f"not to {settings.store_url}: this job will not end"
        )
    return lines


def _broker_warnings(settings: Settings) -> list[str]:
    """Warn of a user's own Redis that may evict tasks."""
    if not settings.broker_url or is_pubsub(settings.broker_url):
        return []
    from producer.celery.connection import connect, errors_of, eviction_warning

    try:
        _, connection = connect(settings)
    except BrokerError:
        return []  # publishing says so
    try:
        return [*filter(None, [eviction_warning(connection)])]
    except errors_of(connection):
        return []
    finally:
        connection.release()


def _same(left: str, right: str) -> bool:
    """True if both URLs name the same broker; an emulator may be named in the URL or by a variable."""
    if is_pubsub(left) and is_pubsub(right):
        try:
            return PubSubAddress.parse(left) == PubSubAddress.parse(right)
        except SettingsError:
            return False
    return left == right
