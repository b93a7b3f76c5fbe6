"""Ports of a stack: three of them, and never one for two services."""

from __future__ import annotations

from pathlib import Path

import pytest

import local.addresses
from local.addresses import choose_addresses
from local.errors import StackError
from local.options import StackOptions


def test_a_free_port_that_the_system_gives_out_twice_is_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = iter([5001, 5002, 5001, 5001, 5002, 5003])
    monkeypatch.setattr(local.addresses, "choose_port", lambda *_: next(offered))
    found = choose_addresses(StackOptions(Path("unused")))
    assert (found.broker, *found.workers.values()) == (5001, 5002, 5003)


def test_one_port_for_two_services_is_refused() -> None:
    with pytest.raises(StackError, match="cannot share a port"):
        choose_addresses(StackOptions(Path("unused"), port_broker=7000, port_function=7000))
