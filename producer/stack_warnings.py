"""What about the running stack makes a job wait for ever, said before the user wonders."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config.pubsub_settings import PubSubAddress, is_pubsub
from pipeline.config.run_file import RunFile, find_run_file
from pipeline.config.settings import Settings
from pipeline.errors import BrokerError, SettingsError
from results.documents import Target


def stack_warnings(
    settings: Settings, targets: Sequence[Target], run_file: RunFile | None = None
) -> list[str]:
    """Compare what is about to be published with the stack whose broker takes it.

    Args:
        settings: the resolved settings.
        targets: who is asked to generate.
        run_file: that of the stack (default: found from the current folder).
    Returns:
        A line for each thing that does not fit. Of a broker that is not the running stack's, only whether it
        may forget tasks.
    """
    found = run_file or find_run_file()
    if found is None or not _same(found.broker_url, settings.broker_url) or not found.is_alive():
        return _broker_warnings(settings)
    lines = []
    unserved = [target for target in targets if target not in found.targets]
    if unserved:
        names = ", ".join(unserved)
        how = " (start it with `diptych up --celery-workers 1`)" if "celery" in unserved else ""
        lines.append(f"nobody serves {names} in the running stack: its tasks wait in the queue{how}")
    if found.store_url != settings.store_url:
        lines.append(
            f"the running stack's workers write to {found.store_url}, "
            f"not to {settings.store_url}: this job will not end"
        )
    return lines


def _broker_warnings(settings: Settings) -> list[str]:
    """What is wrong with a Redis of the user's own."""
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


def _same(one: str, other: str) -> bool:
    """True if both URLs lead to one broker: an emulator may be named in the URL or by a variable."""
    if is_pubsub(one) and is_pubsub(other):
        try:
            return PubSubAddress.parse(one) == PubSubAddress.parse(other)
        except SettingsError:
            return False
    return one == other
