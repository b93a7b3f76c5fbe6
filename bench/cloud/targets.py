"""Deployed targets: where they answer, the token that lets us in, and the store that they write to."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.cloud.tokens import IdToken, audience_of
from bench.errors import BenchError
from bench.load.hosts import check_answers, check_host, is_local
from results.errors import StoreError
from results.stores.base import Store
from results.stores.open import open_store
from results.targets import Target

REFUSED: Final = (401, 403)
_EMULATOR: Final = "STORAGE_EMULATOR_HOST"


@dataclass(frozen=True, slots=True)
class DeployedTarget:
    """One that answers.

    Args:
        target: which.
        url: of its pushes.
        headers: of each request, asked anew each time: tokens expire.
    """

    target: Target
    url: str
    headers: Callable[[], list[str]]


def deployed_target(target: Target, url: str, owned: Sequence[str], account: str) -> DeployedTarget:
    """Check that load may go there and somebody answers, and make the first token.

    Args:
        target: which.
        url: of its pushes.
        owned: hosts that are the user's.
        account: a service account to act for; "": the user's own.
    Raises:
        HostRefused: the host is not ours.
        BenchError: it is no address, nobody answers there, or no token can be had.
    """
    check_host(url, owned)
    check_answers(url, target)
    token = IdToken(audience_of(url), account)
    token.headers()
    return DeployedTarget(target, url, token.headers)


def check_let_in(target: str, status: int) -> None:
    """Raise BenchError for a status that says that our token is not taken."""
    if status in REFUSED:
        raise BenchError(
            f"the {target} refuses the token ({status}): give its push account with --as-account"
            " (diptych-push@PROJECT.iam.gserviceaccount.com, unless another prefix was deployed), and let"
            " yourself act for it: role Service Account Token Creator. The address must be the one that"
            " Pub/Sub pushes to"
        )


def deployed_store(url: str) -> Store:
    """Open the store of what is deployed, and look whether we may read it.

    Raises:
        BenchError: it is no bucket.
        StoreError: it cannot be read.
    """
    if not url:
        raise BenchError(
            "--cloud needs the deployed store: --store gs://BUCKET or DIPTYCH_STORE_URL, as `diptych deploy`"
            " prints it"
        )
    store = open_store(url)
    if store.is_local:
        raise BenchError(
            f"{url} is a store of this machine, which nothing deployed writes to: give gs://BUCKET"
        )
    try:
        next(iter(store.list("models/")), None)
    except StoreError as error:
        raise BenchError(f"the deployed store cannot be read: {error}") from error
    return store


def stand_ins(urls: Sequence[str] = (), store_url: str = "") -> list[str]:
    """What plays the cloud's part on this machine: a run with any is no measurement of a cloud."""
    found = [url for url in urls if is_local(url)]
    if store_url and ("endpoint=" in store_url or os.environ.get(_EMULATOR)):
        found.append(store_url)
    return found


def deployed_title(what: str, local: Sequence[str]) -> str:
    """A title that says deployed, and whether anything stood in for it.

    Args:
        what: "container against function".
        local: see `stand_ins`.
    """
    return f"{what}, deployed" + ("; stand-ins on this machine" if local else "")
